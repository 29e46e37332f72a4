# Panoptic quality on ADE20K.
_base_ = [
    './_base_/maskclip-pp_convnext-l.py',
    '../_base_/datasets/ade20k_panoptic_800.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary=dict(source='ade20k-panoptic-150', templates='vild'), test_cfg=dict(instance_on=False, semantic_on=False))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
