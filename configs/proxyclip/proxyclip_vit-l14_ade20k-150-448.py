# ProxyCLIP (arXiv 2408.04883) on ADE20K: short side 448, windows of 336, stride 112, DINO ViT-B/8 as proxy.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-l14_openai.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='ProxyBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch8_224.dino', pretrained=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=336, stride=112, window_batch=4, logit_scale=40))
