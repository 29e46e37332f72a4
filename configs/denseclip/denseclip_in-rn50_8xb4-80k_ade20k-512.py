# DenseCLIP on a ResNet-50 of ImageNet: an attention pool with random weights (any-backbone mode).
_base_ = [
    '../_base_/models/denseclip.py',
    '../_base_/datasets/ade20k_train_512.py',
    '../_base_/schedules/denseclip_80k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        _delete_=True, type='StageBackbone',
        trunk=dict(
            type='mmdet.ResNet', depth=50, norm_eval=False,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))),
    pool=dict(in_channels=2048, heads=32, table=16),
    text=dict(model='RN50', pretrained='openai'),
    vocabulary='ade20k-150')
default_hooks = dict(checkpoint=dict(interval=8000, max_keep_ckpts=2))
