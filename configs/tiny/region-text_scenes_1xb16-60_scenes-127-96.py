# Trains the class-agnostic proposal net on base classes, then names its proposals among all 127 classes.
_base_ = [
    '../_base_/models/region_text_detector.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/datasets/scenes_det_train.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-127',
    proposals=dict(pretrained=None),
    roi_head=dict(pool='mask', activation='sigmoid', logit_scale=15.0, logit_bias=-6.0, objectness_weight=0.3),
    test_cfg=dict(score_thr=0.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60, val_interval=60)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=4e-3, weight_decay=1e-4))
param_scheduler = [dict(type='OneCycleLR', eta_max=4e-3, total_steps=60, by_epoch=False)]
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=60), logger=dict(interval=10))
log_processor = dict(by_epoch=False)
