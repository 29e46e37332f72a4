# 120,000 steps with batches of 32 (8 GPUs x 4).
train_cfg = dict(type='IterBasedTrainLoop', max_iters=120000, val_interval=10000)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=0.9, begin=1500, end=120000, by_epoch=False),
]
auto_scale_lr = dict(enable=False, base_batch_size=32)
