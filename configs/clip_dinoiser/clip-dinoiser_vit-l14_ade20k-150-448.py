# CLIP-DINOiser with a ViT-L/14, which the paper does not have: for weights of clip-dinoiser_vit-l14_1xb16-6k_images-448.py.
_base_ = './clip-dinoiser_vit-b16_ade20k-150-448.py'
clip = dict(model='ViT-L-14', pretrained='laion2b_s32b_b82k')
model = dict(backbone=clip, text_encoder=clip, decode_head=dict(in_channels=1024))
