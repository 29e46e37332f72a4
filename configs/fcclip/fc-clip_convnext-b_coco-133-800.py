# Panoptic quality on COCO itself.
_base_ = [
    './_base_/fc-clip_convnext-b.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary=dict(source='coco-fcclip-133', templates='vild'), test_cfg=dict(instance_on=False, semantic_on=False))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
