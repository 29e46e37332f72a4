# 20,000 steps of AdamW, 1e-3 falling to 1e-4 along a cosine, in half precision where the machine has it.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=20000, val_interval=20000)
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=20000, eta_min=1e-4, by_epoch=False)]
