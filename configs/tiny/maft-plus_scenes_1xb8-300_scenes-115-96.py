# MAFT+ learns proposals on base classes, and CLIP learns at a hundredth of the rate from the names of their masks.
_base_ = [
    '../_base_/models/maft-plus_scenes.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/datasets/scenes_panoptic_train.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='scenes-115')
train_dataloader = dict(batch_size=8)
test_dataloader = dict(dataset=dict(vocabulary='scenes-115'))
val_dataloader = test_dataloader
val_evaluator = dict(type='PanopticQuality', groups=('thing', 'stuff', 'base'))
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300, val_interval=300)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=dict(backbone=dict(lr_mult=0.01))),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=300, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=300), logger=dict(interval=20))
log_processor = dict(by_epoch=False)
