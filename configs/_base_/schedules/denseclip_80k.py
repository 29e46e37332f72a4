# DenseCLIP's 80,000 steps: AdamW 1e-4, the backbone at a tenth, norms without decay, polynomial after 1,500 of warm-up.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=8000)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)), norm_decay_mult=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, begin=1500, end=80000, by_epoch=False),
]
auto_scale_lr = dict(enable=False, base_batch_size=32)
