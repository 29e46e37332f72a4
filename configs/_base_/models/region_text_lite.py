# The embedded ImageNet model names segments of like colour; nothing here was trained on boxes.
_base_ = ['./region_text_detector.py']
model = dict(
    vocabulary='coco-80',  # until you give your own words
    backbone=dict(model='lite'),
    text_encoder=dict(model='lite'),
    proposals=dict(_delete_=True, type='SegmentProposals', max_area=0.9),
    roi_head=dict(
        pool='mask', similarity='posterior', activation='none', objectness_weight=0.41,  # ranks by score * area^0.7
        contrast_weight=0.5, share_weight=0.5, calibration=dict(midpoint=0.3, slope=1.5)),
    test_cfg=dict(
        score_thr=0.25, nms=dict(type='nms', iou_threshold=0.4), max_per_img=100,
        max_shared=0.5, max_per_class=5))
