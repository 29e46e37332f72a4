# CLIP-DINOiser (arXiv 2312.12359) on generated scenes without labels: the tiny CLIP learns from its companion which
# patches belong together, and from FOUND's discovery which show objects. About two minutes on one CPU core.
_base_ = [
    '../_base_/models/clip_dinoiser.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
companion = dict(type='DINOBackbone', model='scenes_dino', capture=('k', 'attention'))
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(position='sclip', **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary='scenes-48',
    decode_head=dict(
        in_channels=128,
        proj_channels=32,
        kernel_size=7,
        gamma=0.6,
        sharpness=10.0,
        correspondence_teacher=dict(backbone=companion, feature='maps', threshold=0.65),
        objectness_teacher=dict(
            backbone=companion, head=dict(type='FOUNDHead', in_channels=128, source='discovery', seed='most'))),
    test_cfg=dict(_delete_=True, mode='whole'))
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=800, val_interval=800)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(bkg_decoder=dict(lr_mult=10))))
param_scheduler = [dict(type='MultiStepLR', milestones=[640], gamma=0.1, by_epoch=False)]
randomness = dict(seed=0)
