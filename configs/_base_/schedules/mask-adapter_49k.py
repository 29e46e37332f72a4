# Mask-Adapter's mixed stage: AdamW at batch 24; the rate falls tenfold twice.
_base_ = './mask2former_369k.py'
train_cfg = dict(max_iters=49286, val_interval=3300)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=49286, by_epoch=False, milestones=[43371, 47314], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=3300))
auto_scale_lr = dict(enable=False, base_batch_size=24)
