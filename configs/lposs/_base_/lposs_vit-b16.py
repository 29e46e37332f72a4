# LPOSS (arXiv 2503.19777) on OpenCLIP ViT-B/16 and DINO ViT-B/16.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-b16_laion2b.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='CompanionBackbone',
        clip_options=dict(attention='value', position='mmseg'),
        companion=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='LPOSSHead'))
