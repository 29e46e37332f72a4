# SAN on mmseg's modules: a side network beside a frozen CLIP proposes masks and biases the CLIP's last blocks. A config
# adds the CLIP, the sizes of its blocks and how they are shared out.
_points = dict(num_points=12544, oversample_ratio=3.0, importance_sample_ratio=0.75)
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='SANSegmentor',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', mean=[122.7709, 116.7460, 104.0937], std=[68.5005, 66.6322, 70.3232],
        bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size_divisor=640, test_cfg=dict(size_divisor=32)),
    text_encoder=dict(type='CLIPTextEncoder', templates='vild'),
    image_encoder=dict(
        patch_pad=0, in_channels=3, mlp_ratio=4, out_origin=True, qkv_bias=True, with_cls_token=True,
        output_cls_token=True, patch_bias=False, pre_norm=True, norm_cfg=dict(type='LN', eps=1e-5),
        act_cfg=dict(type='QuickGELU'), norm_eval=False, interpolate_mode='bicubic', frozen_exclude=['pos_embed']),
    decode_head=dict(
        type='SideAdapterHead', deep_supervision_idxs=[7], align_corners=False,
        san_cfg=dict(
            in_channels=3, embed_dims=240, patch_size=16, patch_bias=True, num_queries=100,
            fusion_index=[0, 1, 2, 3], cfg_encoder=dict(num_encode_layer=8, num_heads=6, mlp_ratio=4),
            cfg_decoder=dict(num_layers=1, embed_channels=256, mlp_channels=256, num_mlp=3, rescale=True),
            norm_cfg=dict(type='LN', eps=1e-6)),
        maskgen_cfg=dict(
            sos_token_format='cls_token', sos_token_num=100, cross_attn=False, mlp_ratio=4, qkv_bias=True,
            final_norm=True, act_cfg=dict(type='QuickGELU'), norm_cfg=dict(type='LN', eps=1e-5), frozen_exclude=[]),
        train_cfg=dict(**_points, assigner=dict(type='HungarianAssigner', match_costs=[
            dict(type='ClassificationCost', weight=2.0),
            dict(type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
            dict(type='DiceCost', weight=5.0, pred_act=True, eps=1.0)])),
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_name='loss_cls_ce', loss_weight=2.0, class_weight=[1.0, 0.1]),
            dict(type='CrossEntropyLoss', use_sigmoid=True, loss_name='loss_mask_ce', loss_weight=5.0),
            dict(type='DiceLoss', ignore_index=None, naive_dice=True, eps=1, loss_name='loss_mask_dice',
                 loss_weight=5.0)]))
