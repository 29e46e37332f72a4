# F-ViT's recipe: AdamW at 1e-4, batches of 64 (8 GPUs with 8 pictures each), 48 epochs.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=48, val_interval=12)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.1),
    clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=250, by_epoch=False),
    dict(type='MultiStepLR', milestones=[32, 44], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
