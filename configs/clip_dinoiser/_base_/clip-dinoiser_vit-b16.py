# CLIP-DINOiser (arXiv 2312.12359) on OpenCLIP ViT-B/16.
_base_ = [
    '../../_base_/models/clip_dinoiser.py',
    '../../_base_/backbones/vit-b16_laion2b.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip)
