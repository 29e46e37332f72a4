# SAN (arXiv 2302.12242) on ViT-L/14 of 336 pixels, at 0.7 of the size: 18 blocks before, six after.
_base_ = ['../../_base_/models/san.py', '../../_base_/default_runtime_seg.py']
clip = dict(model='ViT-L-14-336', pretrained='openai')
model = dict(
    clip=clip,
    text_encoder=clip,
    encoder_resolution=0.7,
    image_encoder=dict(
        img_size=(336, 336), patch_size=14, embed_dims=1024, num_layers=18, num_heads=16, out_indices=(5, 11, 17)),
    decode_head=dict(
        san_cfg=dict(clip_channels=1024, cfg_decoder=dict(num_heads=16)),
        maskgen_cfg=dict(num_layers=6, embed_dims=1024, num_heads=16, out_dims=768)))
