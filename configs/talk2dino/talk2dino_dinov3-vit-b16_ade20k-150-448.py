# Talk2DINO (arXiv 2411.19331) on DINOv3, ADE20K: short side 448, windows of 448, stride 224, PAMR.
_base_ = [
    '../_base_/models/talk2dino.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/backbones/talk2dino_dinov3-vit-b16.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=_base_.dino,
    text_encoder=dict(normalize_before_mean=False, **_base_.clip),
    decode_head=_base_.mapping,
    vocabulary=dict(source=_base_.vocabulary.source, templates='simple-7'),
    refine=dict(type='PAMR', num_iter=10, dilations=(1, 2, 4, 8, 12, 24)),
    test_cfg=dict(mode='slide', crop_size=448, stride=224))
