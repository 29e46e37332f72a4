# FC-CLIP in the smallest sizes, on the embedded CLIP for drawn scenes: its one scale (8-pixel patches) becomes four.
_base_ = './fc-clip.py'
_attention = dict(embed_dims=64, num_heads=4)
_ffn = dict(embed_dims=64, feedforward_channels=128)
_positions = dict(num_feats=32)
model = dict(
    backbone=dict(model='scenes', pretrained=None),
    text_encoder=dict(model='scenes', pretrained=None, templates=None),
    neck=dict(type='SimpleFeaturePyramid', in_channels=384, out_channels=64, scales=(2, 1, 0.5, 0.25)),
    mask_head=dict(
        in_channels=[64, 64, 64, 64], feat_channels=64, out_channels=64, num_queries=20,
        pixel_decoder=dict(
            norm_cfg=dict(num_groups=8),
            encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=_attention, ffn_cfg=_ffn)),
            positional_encoding=_positions),
        positional_encoding=_positions,
        transformer_decoder=dict(
            num_layers=3, layer_cfg=dict(self_attn_cfg=_attention, cross_attn_cfg=_attention, ffn_cfg=_ffn))),
    train_cfg=dict(num_points=512))
