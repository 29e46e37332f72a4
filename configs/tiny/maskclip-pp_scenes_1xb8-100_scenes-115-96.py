# MaskCLIP++-style: the tiny CLIP is tuned on true masks of base classes. load_from takes FC-CLIP's twin.
_base_ = './fc-clip_scenes_1xb8-300_scenes-115-96.py'
model = dict(
    type='MaskTunedMaskFormer',
    backbone=dict(frozen=False),
    tuned=(r'backbone\.visual\.transformer\.',),
    region_classifier=dict(logit_scale=20.0),
    num_matched=0,
    anchor_weight=1.0)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=100, val_interval=100)
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, end=100, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=100))
