# Trident (arXiv 2411.09219) on ViT-L/14 with DINO ViT-B/16 and SAM ViT-B, without SAM's refinement.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-l14_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='TridentBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True),
        correlation=dict(type='SAMBackbone', model='samvit_base_patch16', pretrained=True),
        correlation_size=1024,
        **_base_.clip),
    text_encoder=_base_.clip,
    test_cfg=dict(mode='whole', resize='direct', logit_scale=40))
