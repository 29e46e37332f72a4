# ViLD (arXiv 2104.13921), one head for text and image, OV-COCO: boxes of 48 classes, tested among 65.
_base_ = [
    '../_base_/models/text_faster_rcnn_r50.py',
    '../_base_/datasets/ov_coco_65.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/default_runtime_det.py',
]
clip = dict(model='ViT-B-32', pretrained='openai')
model = dict(
    type='ViLDDetector',
    vocabulary='coco-65',
    text_encoder=clip,
    teacher=dict(backbone=dict(type='CLIPBackbone', **clip)))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)
