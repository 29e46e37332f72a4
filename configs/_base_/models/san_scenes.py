# SAN in the smallest sizes, on the embedded CLIP with a trained class token: four blocks before, one after.
_base_ = './san.py'
_clip = dict(model='scenes_cls', pretrained=None)
model = dict(
    clip=_clip,
    text_encoder=dict(templates=None, **_clip),
    encoder_resolution=1.0,
    data_preprocessor=dict(size_divisor=32),
    image_encoder=dict(
        img_size=(48, 48), patch_size=8, embed_dims=128, num_layers=4, num_heads=4, out_indices=(0, 1, 3),
        act_cfg=dict(type='GELU')),
    decode_head=dict(
        reference_size=(96, 96), deep_supervision_idxs=[2],
        san_cfg=dict(
            clip_channels=128, embed_dims=64, patch_size=8, num_queries=20,
            cfg_encoder=dict(num_encode_layer=3, num_heads=4),
            cfg_decoder=dict(num_heads=4, embed_channels=64, mlp_channels=64)),
        maskgen_cfg=dict(
            sos_token_num=20, num_layers=1, embed_dims=128, num_heads=4, out_dims=384, act_cfg=dict(type='GELU')),
        train_cfg=dict(num_points=512)))
