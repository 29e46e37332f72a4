# ProxyCLIP (arXiv 2408.04883) on ViT-B/16 with DINO ViT-B/8 as proxy.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-b16_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='ProxyBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch8_224.dino', pretrained=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    test_cfg=dict(window_batch=4))
