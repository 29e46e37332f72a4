# A linear probe of the tiny CLIP's dense features, trained on generated scenes: 60 steps, seconds on a CPU.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(attention='value', **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(_delete_=True, type='LinearProbeHead', in_channels=384, num_classes=48))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60, val_interval=60)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.02, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=60, by_epoch=False)]
