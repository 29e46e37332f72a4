# Stage 1 of OVSeg: proposals and their text classifier on COCO-Stuff; the CLIP of the crops is not trained here.
_base_ = [
    './ovseg_swin-b_vit-l14_coco-stuff-640.py',
    './_base_/coco-stuff_train_640.py',
    './_base_/schedule_120k.py',
]
model = dict(backbone=dict(trunk=dict(
    convert_weights=True,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/swin_base_patch4_window12_384_22k.pth'))))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0), query_embed=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=0.01))
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=3))
