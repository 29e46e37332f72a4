# No box was trained on: proposals keep their places, class score and objectness in a geometric mean.
# The official rule multiplies by the raw logit: model.test_cfg.rcnn.objectness=logit.
_base_ = ['./regionclip_rn50_8xb2-90k_ov-coco-65.py']
model = dict(
    test_cfg=dict(
        rcnn=dict(
            _delete_=True,
            score_thr=0.001,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=100,
            box_delta=False,
            objectness='sigmoid')))
