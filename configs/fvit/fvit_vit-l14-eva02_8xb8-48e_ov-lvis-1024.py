# F-ViT (arXiv 2310.01403), OV-LVIS with the large model.
_base_ = [
    '../_base_/models/fvit_mask.py',
    '../_base_/backbones/vit-l14_eva02.py',
    '../_base_/datasets/ov_lvis_lsj-1024.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/fvit_48e.py',
]
model = dict(
    vocabulary='lvis-1203',
    backbone=dict(**_base_.clip, out_indices=(6, 10, 14, 23)),
    text_encoder=_base_.clip,
    neck=dict(channels=1024, fpn=dict(in_channels=[1024] * 4)),
    rpn_head=dict(anchor_generator=dict(strides=[3.5, 7, 14, 28, 56])),
    roi_head=dict(
        vlm=dict(logit_scale=50.0, base_weight=0.1, novel_weight=0.4),
        bbox_head=dict(fc_out_channels=768, loss_cls=dict(background_weight=0.9)),
        bbox_roi_extractor=dict(featmap_strides=[3.5, 7, 14, 28]),
        mask_roi_extractor=dict(featmap_strides=[3.5, 7, 14, 28])),
    test_cfg=dict(rcnn=dict(score_thr=0.0001, nms=dict(iou_threshold=0.5), max_per_img=300)))
