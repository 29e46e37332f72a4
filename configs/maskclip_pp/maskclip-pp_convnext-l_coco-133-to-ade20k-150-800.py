# mIoU on ADE20K.
_base_ = [
    './_base_/maskclip-pp_convnext-l.py',
    '../_base_/datasets/ade20k_mask-800.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='ade20k-150', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
