# 80,000 steps of 4 pictures; the CLIP's parts learn at a hundredth of the rate.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.01, norm_type=2),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.01), text_tower=dict(lr_mult=0.01)), norm_decay_mult=0.0))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=80000, begin=0, end=80000, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=5000)
