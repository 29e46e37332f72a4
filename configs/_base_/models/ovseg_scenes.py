# OVSeg in the smallest sizes, on the embedded CLIP for drawn scenes: its patches make the stage maps, its class token
# names the crops. Dice counts five times, so that small things are found in a few hundred steps.
_base_ = './ovseg.py'
_attention = dict(embed_dims=64, num_heads=4, dropout=0.0)
_ffn = dict(embed_dims=64, feedforward_channels=128, ffn_drop=0.0)
model = dict(
    backbone=dict(_delete_=True, type='CLIPBackbone', model='scenes'),
    text_encoder=dict(model='scenes', pretrained=None, templates=None),
    neck=dict(type='SimpleFeaturePyramid', in_channels=384, out_channels=64, scales=(2, 1, 0.5, 0.25)),
    mask_head=dict(
        in_channels=[64, 64, 64, 64], hidden_channels=256, feat_channels=64, out_channels=64, num_queries=20,
        logit_scale=40.0,
        pixel_decoder=dict(norm_cfg=dict(num_groups=8)),
        positional_encoding=dict(num_feats=32),
        transformer_decoder=dict(
            num_layers=3, layer_cfg=dict(self_attn_cfg=_attention, cross_attn_cfg=_attention, ffn_cfg=_ffn)),
        loss_dice=dict(loss_weight=5.0)),
    region_classifier=dict(backbone=dict(model='scenes'), logit_scale=40.0),
    ensemble=dict(weight=0.9),
    mask_thr=0.5,
    train_cfg=dict(assigner=dict(match_costs=[
        dict(type='mmdet.ClassificationCost', weight=1.0),
        dict(type='mmdet.FocalLossCost', weight=20.0, binary_input=True),
        dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1.0)])),
    test_cfg=dict(iou_thr=0.6))
