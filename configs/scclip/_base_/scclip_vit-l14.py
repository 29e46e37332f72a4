# SC-CLIP (arXiv 2411.15869) on ViT-L/14.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-l14_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(backbone=dict(attention='scclip', **_base_.clip), text_encoder=_base_.clip)
