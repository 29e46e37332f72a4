# Text-based decomposition on PASCAL VOC without background, scored as ImageNet-Segmentation: each class that a picture
# shows against the rest of it, its heat cut at the mean.
_base_ = ['./_base_/decomposition_vit-b16.py', '../_base_/datasets/voc20.py']
model = dict(vocabulary=dict(source='voc-tcl-20'), test_cfg=dict(keep_logits=True))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 224), keep_ratio=True, antialias=True),
    dict(type='LoadAnnotations'),  # after resizing: the score is taken at the original size
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='GroupedIoUMetric', iou_metrics=['mIoU']), dict(type='ForegroundHeatMetric')]
test_evaluator = val_evaluator
