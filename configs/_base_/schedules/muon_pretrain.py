# Muon for the blocks, AdamW for the rest; warm-up and a cosine over `max_iters` iterations, running mean of the weights.
_base_ = ['../default_runtime_seg.py']
max_iters = 8000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
val_cfg = None
test_cfg = None
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MuonConstructor',
    paramwise_cfg=dict(blocks='resblocks'),
    optimizer=dict(type='MuonAdamW', lr=1.2e-3, muon_lr=0.02, weight_decay=0.05),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=200, end=max_iters, by_epoch=False),
]
custom_hooks = [dict(type='EMAHook', ema_type='mmengine.ExponentialMovingAverage', momentum=0.002)]
default_hooks = dict(
    _delete_=True,
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=500, by_epoch=False, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))
randomness = dict(seed=0)
