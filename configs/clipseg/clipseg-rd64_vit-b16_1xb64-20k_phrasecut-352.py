# CLIPSeg (PC+), decoder of 64 channels, on PhraseCut.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/phrasecut_352.py',
    '../_base_/datasets/phrasecut_train_352.py',
    '../_base_/schedules/clipseg_20k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip, threshold=0.3)
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=2))
