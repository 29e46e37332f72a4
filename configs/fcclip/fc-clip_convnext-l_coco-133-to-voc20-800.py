# mIoU on PASCAL VOC 20.
_base_ = [
    './_base_/fc-clip_convnext-l.py',
    '../_base_/datasets/voc20_mask-800.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='voc-fcclip-20', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
