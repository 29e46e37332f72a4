# F-ViT (arXiv 2310.01403): a frozen ViT, a pyramid on four of its blocks, RPN and box head of mmdet, and CLIP's own
# scores of the boxes. Plain type names are mmdet's. A config on top names the CLIP, its blocks and its width.
norm_cfg = dict(type='SyncBN', requires_grad=True)
assigner = dict(type='MaxIoUAssigner', match_low_quality=True, ignore_iof_thr=-1)
sampler = dict(type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False)
rpn = dict(nms_pre=2000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
model = dict(
    _scope_='ovdense',
    type='FrozenVLMDetector',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],  # ImageNet's, as the official code has it for every CLIP
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True),
    backbone=dict(type='CLIPBackbone', position='mmseg', out_indices=(3, 5, 7, 11)),
    text_encoder=dict(type='CLIPTextEncoder'),
    neck=dict(
        type='ovdense.ViTPyramid',
        channels=768,
        norm_cfg=norm_cfg,
        fpn=dict(type='FPN', in_channels=[768] * 4, out_channels=256, num_outs=5, norm_cfg=norm_cfg)),
    rpn_head=dict(
        type='RPNHead',
        in_channels=256,
        feat_channels=256,
        num_convs=2,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[1.] * 4),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0)),
    roi_head=dict(
        type='ovdense.VLMFusionRoIHead',
        vlm=dict(region='dense', logit_scale=75.0, base_weight=0.1, novel_weight=0.8),
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32]),
        bbox_head=dict(
            type='ovdense.TextConvFCBBoxHead',
            in_channels=256,
            fc_out_channels=512,
            roi_feat_size=7,
            num_shared_convs=4,
            num_shared_fcs=2,
            num_cls_fcs=1,
            num_reg_fcs=1,
            norm_cfg=norm_cfg,
            classifier=dict(logit_scale=50.0, learn_scale=True, background='word', trained_group='base'),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='ovdense.RegionCrossEntropy', background_weight=0.2),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0))),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, **assigner),
            sampler=sampler,
            allowed_border=-1,
            pos_weight=-1,
            debug=False),
        rpn_proposal=rpn,
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False),
            sampler=dict(
                type='RandomSampler', num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
            mask_size=28,
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rpn=rpn,
        rcnn=dict(
            score_thr=0.01, nms=dict(type='nms', iou_threshold=0.4), max_per_img=100, mask_thr_binary=0.5)))
