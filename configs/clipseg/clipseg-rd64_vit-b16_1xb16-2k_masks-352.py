# Fine-tuning of CLIPSeg on masks of your own: set load_from to imported weights.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/phrase_folder_352.py',
    '../_base_/schedules/clipseg_20k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip)
train_cfg = dict(max_iters=2000, val_interval=500)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=2e-4))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2000, eta_min=2e-5, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=500))
