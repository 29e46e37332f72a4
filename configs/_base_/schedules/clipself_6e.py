# CLIPSelf's training: 6 epochs of AdamW at 1e-5, warm-up of 1,000 steps, cosine to zero; 8 GPUs with 2 pictures each.
# The queries and keys of the last block are not on the way of the value path, hence find_unused_parameters.
_base_ = ['../default_runtime_seg.py']
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6)
val_cfg = None
test_cfg = None
optim_wrapper = dict(
    type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=1e-5, betas=(0.9, 0.98), weight_decay=0.1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=1000, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0, begin=0, end=6, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(
    _delete_=True,
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))
log_processor = dict(by_epoch=True)
find_unused_parameters = True
