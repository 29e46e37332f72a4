# CAT-Seg (arXiv 2303.11797) on ViT-B/16: windows of 384 pixels, 24 x 24 patches.
_base_ = [
    '../../_base_/models/cat_seg.py',
    '../../_base_/backbones/vit-b16_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(out_indices=(3, 7), **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(map_channels=768, text_dim=512),
    input_size=(384, 384))
