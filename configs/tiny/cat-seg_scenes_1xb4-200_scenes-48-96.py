# CAT-Seg learns to aggregate the cosines of base objects and textures; the novel ones are in no picture.
_base_ = [
    '../_base_/models/cat-seg_scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='scenes-48', data_preprocessor=dict(size=(96, 96)))
train_dataloader = dict(batch_size=4)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200, val_interval=200)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.01)), norm_decay_mult=0.0))
param_scheduler = [dict(type='OneCycleLR', eta_max=2e-3, total_steps=200, by_epoch=False)]
