# mIoU on PASCAL Context 459.
_base_ = [
    './_base_/maft-plus_convnext-l.py',
    '../_base_/datasets/context459_mask-800.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='pascal-context-fcclip-459', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
test_evaluator = dict(present_only=True)  # as the published figure was taken
val_evaluator = test_evaluator
