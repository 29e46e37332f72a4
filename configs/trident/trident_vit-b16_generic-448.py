# Trident (arXiv 2411.09219) on pictures and names of your own: short side 448, windows of 336, stride 224.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='TridentBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True),
        correlation=dict(type='SAMBackbone', model='samvit_base_patch16', pretrained=True),
        correlation_size=1024,
        crop_size=336,
        stride=224,
        **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='whole', resize='direct', logit_scale=40))
