# ViLD-ensemble (arXiv 2104.13921) as a Mask R-CNN with class-agnostic masks, OV-LVIS, large-scale jitter.
_base_ = [
    '../_base_/models/text_mask_rcnn_r50.py',
    '../_base_/datasets/ov_lvis_lsj-1024.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/default_runtime_det.py',
]
clip = dict(model='ViT-B-32', pretrained='openai')
model = dict(
    type='ViLDDetector',
    vocabulary='lvis-1203',
    text_encoder=clip,
    teacher=dict(backbone=dict(type='CLIPBackbone', **clip)),
    roi_head=dict(type='ovdense.EnsembleRoIHead', bbox_head=dict(type='ovdense.EnsembleTextBBoxHead')))
train_dataloader = dict(batch_size=2, sampler=dict(type='InfiniteSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)
