# CLIPSeg with the finer decoder, 50,000 steps.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/phrasecut_352.py',
    '../_base_/datasets/phrasecut_train_352.py',
    '../_base_/schedules/clipseg_20k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip, decode_head=dict(refined=True), threshold=0.3)
train_cfg = dict(max_iters=50000, val_interval=50000)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=50000, eta_min=1e-4, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=2))
