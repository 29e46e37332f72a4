# mIoU on Cityscapes.
_base_ = [
    './_base_/fc-clip_convnext-l.py',
    '../_base_/datasets/cityscapes_mask-1024.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='cityscapes-19', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
