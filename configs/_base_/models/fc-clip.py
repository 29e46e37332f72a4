# FC-CLIP: Mask2Former on a frozen convolutional CLIP, whose own view of each mask joins in. A config adds the backbone
# and the channels of its stages (mask_head.in_channels).
_attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)
_act = dict(type='ReLU', inplace=True)
model = dict(
    _scope_='ovdense',  # so that DetInferencer, which starts in the scope mmdet, finds the model
    type='OpenVocabMaskFormer',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=32,
        pad_mask=True, mask_pad_value=0, pad_seg=True, seg_pad_value=255),
    backbone=dict(type='CLIPBackbone'),
    text_encoder=dict(type='CLIPTextEncoder', templates='vild'),
    mask_head=dict(
        type='FCCLIPHead', strides=[4, 8, 16, 32], feat_channels=256, out_channels=256, num_queries=250,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='mmdet.MSDeformAttnPixelDecoder', num_outs=3,
            norm_cfg=dict(type='GN', num_groups=32), act_cfg=dict(type='ReLU'),
            encoder=dict(num_layers=6, layer_cfg=dict(
                self_attn_cfg=dict(num_levels=3, num_points=4, **_attention),
                ffn_cfg=dict(
                    embed_dims=256, feedforward_channels=1024, num_fcs=2, ffn_drop=0.0, act_cfg=_act))),
            positional_encoding=dict(num_feats=128, normalize=True)),
        positional_encoding=dict(num_feats=128, normalize=True),
        transformer_decoder=dict(return_intermediate=True, num_layers=9, layer_cfg=dict(
            self_attn_cfg=_attention, cross_attn_cfg=_attention,
            ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, num_fcs=2, ffn_drop=0.0, act_cfg=_act))),
        loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=2.0),
        loss_mask=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(
            type='mmdet.DiceLoss', use_sigmoid=True, activate=True, naive_dice=True, eps=1.0, loss_weight=5.0)),
    region_classifier=dict(type='CLIPMaskPooling'),
    ensemble=dict(type='SeenUnseenEnsemble', alpha=0.4, beta=0.8),
    train_cfg=dict(
        num_points=12544, oversample_ratio=3.0, importance_sample_ratio=0.75,
        assigner=dict(type='mmdet.HungarianAssigner', match_costs=[
            dict(type='mmdet.ClassificationCost', weight=2.0),
            dict(type='mmdet.CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
            dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1.0)]),
        sampler=dict(type='mmdet.MaskPseudoSampler')),
    test_cfg=dict(object_mask_thr=0.0, iou_thr=0.8, max_per_img=100))
