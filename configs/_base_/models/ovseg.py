# OVSeg (arXiv 2210.04150): MaskFormer proposals, named by text and by a CLIP that looks at masked crops. A config adds
# the backbone, the channels of its stages, and the CLIP (region_classifier.backbone, text_encoder, embed_dim).
_attention = dict(embed_dims=256, num_heads=8, dropout=0.1, batch_first=True)
_act = dict(type='ReLU', inplace=True)
model = dict(
    _scope_='ovdense',
    type='OVSeg',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=32,
        pad_mask=True, mask_pad_value=0, pad_seg=True, seg_pad_value=255),
    backbone=dict(type='StageBackbone'),
    text_encoder=dict(type='CLIPTextEncoder', templates='vild'),
    mask_head=dict(
        type='OVSegHead', hidden_channels=1024, feat_channels=256, out_channels=256, num_queries=100,
        enforce_decoder_input_project=True,
        pixel_decoder=dict(
            type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=32), act_cfg=dict(type='ReLU')),
        positional_encoding=dict(num_feats=128, normalize=True),
        transformer_decoder=dict(return_intermediate=True, num_layers=6, layer_cfg=dict(
            self_attn_cfg=_attention, cross_attn_cfg=_attention,
            ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, num_fcs=2, ffn_drop=0.1, act_cfg=_act))),
        loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=1.0),
        loss_mask=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=20.0),
        loss_dice=dict(type='mmdet.DiceLoss', use_sigmoid=True, activate=True, naive_dice=True, loss_weight=1.0)),
    region_classifier=dict(
        type='RegionCLIPClassifier', fill='mean', expand=1.0,
        backbone=dict(type='CLIPBackbone', attention='vanilla')),
    ensemble=dict(type='OVSegEnsemble', weight=0.7),
    mask_thr=0.4,
    train_cfg=dict(
        assigner=dict(type='mmdet.HungarianAssigner', match_costs=[
            dict(type='mmdet.ClassificationCost', weight=1.0),
            dict(type='mmdet.FocalLossCost', weight=20.0, binary_input=True),
            dict(type='mmdet.DiceCost', weight=1.0, pred_act=True, eps=1.0)]),
        sampler=dict(type='mmdet.MaskPseudoSampler')),
    test_cfg=dict(panoptic_on=False, instance_on=False))
