# The whole training of `scenes_proposals`: base classes only, about 10 minutes on one CPU core.
_base_ = ['./region-text_scenes_1xb16-60_scenes-127-96.py']
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmdet.PhotoMetricDistortion', hue_delta=36),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(num_scenes=100000, generator=dict(object_size=(26, 64)), pipeline=train_pipeline))
train_cfg = dict(max_iters=2000, val_interval=2000)
param_scheduler = [dict(type='OneCycleLR', eta_max=4e-3, total_steps=2000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=2), logger=dict(interval=100))
randomness = dict(seed=0)
