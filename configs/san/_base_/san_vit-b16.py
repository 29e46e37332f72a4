# SAN (arXiv 2302.12242) on ViT-B/16, which sees pictures at half their size: nine blocks before, three after.
_base_ = [
    '../../_base_/models/san.py',
    '../../_base_/backbones/vit-b16_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    clip=_base_.clip,
    text_encoder=_base_.clip,
    encoder_resolution=0.5,
    image_encoder=dict(
        img_size=(224, 224), patch_size=16, embed_dims=768, num_layers=9, num_heads=12, out_indices=(2, 5, 8)),
    decode_head=dict(
        san_cfg=dict(clip_channels=768, cfg_decoder=dict(num_heads=12)),
        maskgen_cfg=dict(num_layers=3, embed_dims=768, num_heads=12, out_dims=512)))
