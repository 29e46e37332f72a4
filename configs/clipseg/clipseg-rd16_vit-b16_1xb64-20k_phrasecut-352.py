# CLIPSeg with a decoder of 16 channels.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/phrasecut_352.py',
    '../_base_/datasets/phrasecut_train_352.py',
    '../_base_/schedules/clipseg_20k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip, decode_head=dict(width=16), threshold=0.3)
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=2))
