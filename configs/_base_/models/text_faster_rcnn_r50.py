# Faster R-CNN on a ResNet-50 with FPN; the last layer of its box head is text. Plain type names are mmdet's.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    _scope_='ovdense',
    type='OpenVocabTwoStageDetector',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_mask=True),
    backbone=dict(
        type='mmdet.ResNet', frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False,
        init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='torchvision://resnet50')),
    text_encoder=dict(type='CLIPTextEncoder'),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        type='ovdense.TextRoIHead',
        bbox_head=dict(
            _delete_=True,
            type='ovdense.TextConvFCBBoxHead',
            in_channels=256,
            conv_out_channels=256,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_shared_convs=4,
            num_shared_fcs=1,
            norm_cfg=norm_cfg,
            classifier=dict(embed_dim=512, projection=True, background='learned', trained_group='base'),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='ovdense.RegionCrossEntropy'),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0))))
