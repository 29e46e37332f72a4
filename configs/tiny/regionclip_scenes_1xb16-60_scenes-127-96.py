# RegionCLIP's detector on the tiny CLIP, which learns on boxes of base classes: half a minute on one CPU core.
_base_ = [
    '../_base_/models/text_two_stage_scenes.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/datasets/scenes_det_train.py',
    '../_base_/default_runtime_det.py',
]
val_evaluator = dict(_delete_=True, type='GroupedCocoMetric', metric='bbox')
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60, val_interval=60)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, begin=0, end=10, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=60), logger=dict(interval=10))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
