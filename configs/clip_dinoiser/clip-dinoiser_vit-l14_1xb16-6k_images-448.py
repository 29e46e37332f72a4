# The same recipe for a ViT-L/14, which the paper does not have: DINO sees pictures of 512 so that its grid is CLIP's.
_base_ = './clip-dinoiser_vit-b16_1xb16-6k_images-448.py'
model = dict(
    backbone=dict(model='ViT-L-14', pretrained='laion2b_s32b_b82k'),
    decode_head=dict(in_channels=1024, correspondence_teacher=dict(scale=16 / 14)))
