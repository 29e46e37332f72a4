# F-ViT (arXiv 2310.01403), OV-LVIS as a Mask R-CNN: 866 classes trained, 1,203 tested.
_base_ = [
    '../_base_/models/fvit_mask.py',
    '../_base_/backbones/vit-b16_eva02.py',
    '../_base_/datasets/ov_lvis_lsj-1024.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/fvit_48e.py',
]
model = dict(
    vocabulary='lvis-1203',
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    roi_head=dict(
        vlm=dict(logit_scale=50.0, base_weight=0.1, novel_weight=0.6),
        bbox_head=dict(loss_cls=dict(background_weight=0.9))),
    test_cfg=dict(rcnn=dict(score_thr=0.0001, nms=dict(iou_threshold=0.5), max_per_img=300)))
