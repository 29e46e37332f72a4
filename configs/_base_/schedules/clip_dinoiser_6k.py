# 6,300 iterations (100 epochs of 1,000 pictures): 5e-5 for the projection, 200 times that for the objectness.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6300, val_interval=6300)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-5, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(bkg_decoder=dict(lr_mult=200))))
param_scheduler = [dict(type='MultiStepLR', milestones=[5000], gamma=0.1, by_epoch=False)]
