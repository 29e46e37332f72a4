# AdamW at batch 8, polynomial decay; a tenth of the rate for CLIP's image tower; gradients cut over all weights together.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60000, val_interval=5000)
_embedding = dict(lr_mult=1.0, decay_mult=0.0)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=2e-5, eps=1e-8, betas=(0.9, 0.999)),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys=dict(
            backbone=dict(lr_mult=0.1),
            query_embed=_embedding, query_feat=_embedding, level_embed=_embedding, void_embedding=_embedding)),
    clip_grad=dict(max_norm=0.01, norm_type=2))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=60000, by_epoch=False)]
auto_scale_lr = dict(enable=False, base_batch_size=8)
