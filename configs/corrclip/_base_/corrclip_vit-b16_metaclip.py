# CorrCLIP (arXiv 2411.10086) on MetaCLIP ViT-B/16 and DINO ViT-B/8.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/default_runtime_seg.py',
]
clip = dict(model='ViT-B-16-quickgelu', pretrained='metaclip_fullcc')
model = dict(
    backbone=dict(
        type='CorrCLIPBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch8_224.dino', pretrained=True),
        **clip),
    text_encoder=clip)
