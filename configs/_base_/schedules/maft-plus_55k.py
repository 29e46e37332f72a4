# As maft-plus_60k.py, 55,000 iterations.
_base_ = './maft-plus_60k.py'
train_cfg = dict(max_iters=55000)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=55000, by_epoch=False)]
