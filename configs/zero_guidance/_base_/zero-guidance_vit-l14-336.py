# CLIP ViT-L/14 at 336 pixels and DINO ViT-S/8.
_base_ = ['../../_base_/models/zero_guidance.py', '../../_base_/default_runtime_seg.py']
clip = dict(model='ViT-L-14-336-quickgelu', pretrained='openai')
model = dict(
    backbone=clip,
    text_encoder=clip,
    segments=dict(backbone=dict(model='vit_small_patch8_224.dino', pretrained=True)))
