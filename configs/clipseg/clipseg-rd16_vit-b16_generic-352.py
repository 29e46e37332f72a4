# CLIPSeg with a decoder of 16 channels, for pictures and words of your own.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip, decode_head=dict(width=16))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='mmseg.PackSegInputs'),
]
