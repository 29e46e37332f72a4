# F-ViT (arXiv 2310.01403), OV-COCO with the large model: patches of 14 pixels.
_base_ = [
    '../_base_/models/fvit.py',
    '../_base_/backbones/vit-l14_eva02.py',
    '../_base_/datasets/ov_coco_65_lsj-896.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/fvit_3e.py',
]
model = dict(
    vocabulary='coco-65',
    backbone=dict(**_base_.clip, out_indices=(6, 10, 14, 23)),
    text_encoder=_base_.clip,
    neck=dict(channels=1024, fpn=dict(in_channels=[1024] * 4)),
    rpn_head=dict(anchor_generator=dict(strides=[3.5, 7, 14, 28, 56])),
    roi_head=dict(
        vlm=dict(logit_scale=75.0, base_weight=0.1, novel_weight=0.8),
        bbox_roi_extractor=dict(featmap_strides=[3.5, 7, 14, 28]),
        bbox_head=dict(fc_out_channels=768)))
