# SAN learns masks and attention biases on base objects and textures, and names novel objects as well.
_base_ = [
    '../_base_/models/san_scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='scenes-115')
train_dataloader = dict(batch_size=8, dataset=dict(vocabulary='scenes-115'))
val_dataloader = dict(dataset=dict(vocabulary='scenes-115'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300, val_interval=300)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, custom_keys={'image_encoder.pos_embed': dict(lr_mult=0.1, decay_mult=0.0)}))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=300, by_epoch=False)]
