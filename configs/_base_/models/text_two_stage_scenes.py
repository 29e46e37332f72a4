# The two-stage shell on the tiny CLIP, a ViT: its dense features take layer3's place, the mean over RoIAlign's bins the
# tail's. Box regression learns; proposals are those of scenes_proposals.
model = dict(
    _scope_='ovdense',
    type='OpenVocabTwoStageDetector',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_mask=True),
    backbone=dict(type='CLIPBackbone', model='scenes', frozen=False),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes'),
    vocabulary='scenes-127',
    proposals=dict(type='TinyProposalNet', pretrained='scenes_proposals'),
    roi_head=dict(
        type='ovdense.TextRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=4, sampling_ratio=0),
            out_channels=384,
            featmap_strides=[8]),
        bbox_head=dict(
            type='ovdense.TextBBoxHead',
            in_channels=384,
            with_avg_pool=True,
            roi_feat_size=4,
            classifier=dict(logit_scale=25.0, trained_group='base'),
            loss_cls=dict(type='ovdense.RegionCrossEntropy', background_weight=0.2, gamma=0.5),
            loss_bbox=dict(type='L1Loss'))),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type='RandomSampler', num=32, pos_fraction=0.5, add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100, objectness='sigmoid')))
