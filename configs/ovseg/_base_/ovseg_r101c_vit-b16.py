# OVSeg, the base model: proposals of a ResNet-101c, crops named by the mask-adapted CLIP ViT-B/16.
_base_ = '../../_base_/models/ovseg.py'
clip = dict(model='ViT-B-16-quickgelu', pretrained='checkpoints/ovseg_r101c_vit-b16_clip.safetensors')
model = dict(
    backbone=dict(trunk=dict(
        type='mmdet.ResNet', depth=101, deep_stem=True, stem_channels=128, num_stages=4, out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='SyncBN', requires_grad=True), style='pytorch')),
    text_encoder=clip,
    mask_head=dict(in_channels=[256, 512, 1024, 2048], embed_dim=512, void_std=512**-0.5),
    region_classifier=dict(backbone=dict(mask_prompt_depth=3, **clip)),
    mask_thr=0.5)
