# CLIPSelf (arXiv 2310.01403) on generated scenes: the patches of `scenes_cls`, which nothing has trained, learn from its
# class token. No label is read. 200 steps of a cosine of 800.
_base_ = [
    '../_base_/models/clipself.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=dict(model='scenes_cls'))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackRegionCrops', most_cells=4, max_regions=12, crop_size=48, image_size=None),
]
train_dataloader = dict(
    dataset=dict(vocabulary='scenes-143', objects=['base', 'novel'], num_scenes=100000, pipeline=test_pipeline))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200)
val_cfg = None
test_cfg = None
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0, begin=50, end=800, by_epoch=False),
]
default_hooks = dict(
    _delete_=True,
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=200, by_epoch=False, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))
randomness = dict(seed=0)
