# The tiny CLIP `scenes`, second stage: mosaics of four pictures; each tile's patches find the words of their own picture.
_base_ = './clip-pretrain_scenes_1xb64-8k_scenes-143-48.py'
max_iters = 600
load_from = 'work_dirs/clip-pretrain_scenes_1xb64-8k_scenes-143-48/iter_8000.pth'
model = dict(assignment_weight=0.0, mosaic=(2, 2), class_weight=0.5)
train_cfg = dict(max_iters=max_iters)
train_dataloader = dict(batch_size=256, dataset=dict(generator=dict(num_objects=(0, 2))))
optim_wrapper = dict(optimizer=dict(lr=1e-3, muon_lr=0.015))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=30, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=30, end=max_iters, by_epoch=False),
]
custom_hooks = [dict(type='EMAHook', ema_type='mmengine.ExponentialMovingAverage', momentum=0.02)]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=100))
randomness = dict(seed=1)
