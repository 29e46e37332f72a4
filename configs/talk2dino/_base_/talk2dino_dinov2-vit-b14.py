# Talk2DINO (arXiv 2411.19331) on DINOv2 ViT-B/14 with registers.
_base_ = [
    '../../_base_/models/talk2dino.py',
    '../../_base_/backbones/vit-b16_openai.py',
    '../../_base_/backbones/talk2dino_dinov2-vit-b14.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=_base_.dino,
    text_encoder=dict(normalize_before_mean=False, **_base_.clip),
    decode_head=_base_.mapping)
