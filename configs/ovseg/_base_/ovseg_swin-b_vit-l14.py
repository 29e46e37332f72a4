# OVSeg, the large model: proposals of a Swin-B, crops named by the mask-adapted CLIP ViT-L/14.
_base_ = '../../_base_/models/ovseg.py'
clip = dict(model='ViT-L-14-quickgelu', pretrained='checkpoints/ovseg_swin-b_vit-l14_clip.safetensors')
model = dict(
    backbone=dict(trunk=dict(
        type='mmdet.SwinTransformer', pretrain_img_size=384, embed_dims=128, depths=(2, 2, 18, 2),
        num_heads=(4, 8, 16, 32), window_size=12, drop_path_rate=0.3)),
    text_encoder=clip,
    mask_head=dict(in_channels=[128, 256, 512, 1024], embed_dim=768, void_std=768**-0.5),
    region_classifier=dict(backbone=dict(mask_prompt_depth=3, **clip)),
    mask_thr=0.4)
