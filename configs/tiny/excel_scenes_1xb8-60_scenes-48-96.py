# ExCEL (arXiv 2503.20826) on generated scenes: a decoder on the tiny CLIP learns from image tags, without a mask.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    type='TaggedSegmentor',
    data_preprocessor=dict(size=(96, 96)),
    vocabulary='scenes-48',
    backbone=dict(type='SurgeryCLIP', depth=3, captured=True, **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(
        _delete_=True, type='ExCELHead', in_channels=128, blocks=5, num_classes=48, embed_dim=128, layers=2, heads=4),
    calibrate_from=30, learn_from_self=50, radius=6, colour_iterations=2)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ImageTags'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PackSegInputs', meta_keys=('img_path', 'ori_shape', 'img_shape', 'flip', 'image_tags')),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60, val_interval=60)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', power=1.0, begin=0, end=60, by_epoch=False)]
