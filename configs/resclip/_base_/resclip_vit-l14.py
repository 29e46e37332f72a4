# ResCLIP (arXiv 2411.15851) on ViT-L/14; the weights and the threshold differ by set.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-l14_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(attention='resclip', capture=('block_input', 'recorded', 'images'), **_base_.clip),
    decode_head=dict(_delete_=True, type='ResCLIPHead'),
    text_encoder=_base_.clip)
