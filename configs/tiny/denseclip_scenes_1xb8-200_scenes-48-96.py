# DenseCLIP on drawn scenes, its small CLIP ResNet and text tower without pretraining.
_base_ = [
    '../_base_/models/denseclip.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
tower = dict(context_length=77, vocab_size=49408, width=64, heads=2, layers=2)
clip = dict(
    embed_dim=64, vision_cfg=dict(image_size=96, layers=(1, 1, 1, 1), width=16, head_width=32), text_cfg=tower)
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(model=clip, pretrained=None, table_side=3),
    text=dict(model=clip, frozen=False, name_length=6),
    context_decoder=dict(width=64, layers=1),
    vocabulary='scenes-48',
    neck=dict(in_channels=[64, 128, 256, 512 + 48], out_channels=64),
    decode_head=dict(
        in_channels=[64, 64, 64, 64], channels=64, num_classes=48, norm_cfg=dict(type='BN', requires_grad=True)),
    test_cfg=dict(_delete_=True, mode='whole'))
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200, val_interval=200)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
param_scheduler = [dict(type='OneCycleLR', eta_max=2e-3, total_steps=200, by_epoch=False)]
