# Stage 1 of OVSeg: proposals and their text classifier on COCO-Stuff; the CLIP of the crops is not trained here.
_base_ = [
    './ovseg_r101c_vit-b16_coco-stuff-512.py',
    './_base_/coco-stuff_train_512.py',
    './_base_/schedule_120k.py',
]
model = dict(backbone=dict(trunk=dict(
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/resnet101_v1c.pth'))))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys=dict(backbone=dict(lr_mult=0.1), query_embed=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=0.01))
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=3))
