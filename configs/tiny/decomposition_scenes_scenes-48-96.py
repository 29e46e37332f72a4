# Text-based decomposition (arXiv 2310.05916) of the tiny CLIP on generated scenes; also scored as ImageNet-Segmentation.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(type='DecomposedCLIP', **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='DecompositionHead'),
    test_cfg=dict(keep_logits=True))
val_evaluator = [
    dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], groups=('thing', 'stuff')),
    dict(type='ForegroundHeatMetric'),
]
test_evaluator = val_evaluator
