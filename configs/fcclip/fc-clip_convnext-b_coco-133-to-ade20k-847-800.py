# mIoU on ADE20K-847.
_base_ = [
    './_base_/fc-clip_convnext-b.py',
    '../_base_/datasets/ade20k-847_mask-800.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='ade20k-fcclip-847', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
