# CLIPSeg on drawn scenes and words of your own, on a checkpoint of its training.
_base_ = ['../_base_/models/clipseg_scenes.py', '../_base_/default_runtime_seg.py']
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.PackSegInputs'),
]
