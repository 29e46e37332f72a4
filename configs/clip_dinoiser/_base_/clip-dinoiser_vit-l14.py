# CLIP-DINOiser on OpenCLIP ViT-L/14, which the paper does not have.
_base_ = './clip-dinoiser_vit-b16.py'
clip = dict(model='ViT-L-14', pretrained='laion2b_s32b_b82k')
model = dict(backbone=clip, text_encoder=clip, decode_head=dict(in_channels=1024))
