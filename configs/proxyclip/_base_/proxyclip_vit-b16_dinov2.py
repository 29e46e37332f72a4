# DINOv2 ViT-B/14 as proxy instead of DINO ViT-B/8.
_base_ = './proxyclip_vit-b16.py'
model = dict(
    backbone=dict(
        proxy=dict(_delete_=True, type='DINOBackbone', model='vit_base_patch14_reg4_dinov2', pretrained=True)))
