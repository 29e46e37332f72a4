# The tiny CLIP `scenes`, second stage: whole scenes of 96 pixels, as it will see them. `load_from` is the first stage.
_base_ = './clip-pretrain_scenes_1xb64-8k_scenes-143-48.py'
max_iters = 800
load_from = 'work_dirs/clip-pretrain_scenes_1xb64-8k_scenes-143-48/iter_8000.pth'
train_cfg = dict(max_iters=max_iters)
train_dataloader = dict(dataset=dict(generator=dict(size=96, num_objects=(1, 4), object_size=(26, 60))))
optim_wrapper = dict(optimizer=dict(lr=5e-4, muon_lr=0.008))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=50, end=max_iters, by_epoch=False),
]
custom_hooks = [dict(type='EMAHook', ema_type='mmengine.ExponentialMovingAverage', momentum=0.01)]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=100))
randomness = dict(seed=1)
