# mIoU on PASCAL Context 59.
_base_ = [
    './_base_/maft-plus_convnext-b.py',
    '../_base_/datasets/context59_mask-800.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='pascal-context-fcclip-59', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
