# The encoder of SAM ViT-B as proxy instead of DINO ViT-B/8.
_base_ = './proxyclip_vit-b16.py'
model = dict(
    backbone=dict(
        proxy=dict(_delete_=True, type='SAMBackbone', model='samvit_base_patch16', pretrained=True),
        proxy_size=1024))
