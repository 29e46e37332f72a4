# CLIP ResNet-50 C4: stem to layer3 for the picture, layer4 and attention pool for each region, text as classifier.
clip = dict(model='RN50', pretrained='openai')
model = dict(
    _scope_='ovdense',
    type='OpenVocabTwoStageDetector',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=1),
    backbone=dict(type='CLIPResNetC4', frozen_stages=2, **clip),
    text_encoder=dict(type='CLIPTextEncoder', templates='vild', **clip),
    proposals=dict(type='OfflineRPN', nms=0.9, max_per_img=1000),
    roi_head=dict(
        type='ovdense.TextRoIHead',
        bbox_roi_extractor=dict(type='ovdense.CLIPResNetTail', **clip),
        bbox_head=dict(
            type='ovdense.TextBBoxHead',
            in_channels=1024,
            classifier=dict(logit_scale=100.0, background='zero'),
            loss_cls=dict(type='ovdense.RegionCrossEntropy', background_weight=0.2, gamma=0.5),
            loss_bbox=dict(type='L1Loss'))),  # smooth L1 of beta 0
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type='RandomSampler', num=512, pos_fraction=0.25, add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rcnn=dict(
            score_thr=0.001,
            nms=dict(type='soft_nms', iou_threshold=0.5, sigma=0.5, min_score=0.001, method='gaussian'),
            max_per_img=100)))
