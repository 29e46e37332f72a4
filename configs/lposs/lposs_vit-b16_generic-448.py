# LPOSS (arXiv 2503.19777) on pictures and names of your own: OpenCLIP and DINO, short side 448, windows of 224, stride 112.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-b16_laion2b.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='CompanionBackbone',
        clip_options=dict(attention='value', position='mmseg'),
        companion=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    decode_head=dict(type='LPOSSHead'),
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=100))
