# PMP-style: proposals that read the names that are asked for, on base classes (our reading of the abstract).
_base_ = [
    '../_base_/models/fc-clip_scenes.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/datasets/scenes_panoptic_train.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-115',
    mask_head=dict(type='PromptGuidedFCCLIPHead', prompt_heads=4))
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
    paramwise_cfg=dict(norm_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=300, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=300), logger=dict(interval=20))
log_processor = dict(by_epoch=False)
