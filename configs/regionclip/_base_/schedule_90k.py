# The official recipe: SGD, batch 16, 90,000 steps, the rate a tenth at 60,000 and at 80,000.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=90000, val_interval=90000)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=5000, by_epoch=False),
    dict(type='MultiStepLR', milestones=[60000, 80000], gamma=0.1, by_epoch=False),
]
