# 50 epochs of COCO at batch 16: AdamW, the rate falls tenfold twice, gradients are cut over all weights together.
_base_ = '../default_runtime_det.py'
train_cfg = dict(type='IterBasedTrainLoop', max_iters=368750, val_interval=5000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
_embedding = dict(lr_mult=1.0, decay_mult=0.0)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.999)),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys=dict(
            query_embed=_embedding, query_feat=_embedding, level_embed=_embedding, void_embedding=_embedding)),
    clip_grad=dict(max_norm=0.01, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=368750, by_epoch=False, milestones=[327778, 355092], gamma=0.1)]
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=5000, max_keep_ckpts=3, save_last=True))
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=16)
