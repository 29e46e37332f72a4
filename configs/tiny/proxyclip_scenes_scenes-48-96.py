# ProxyCLIP (arXiv 2408.04883) on generated scenes; the self-supervised companion sees them doubled, as a finer grid.
# The embedded CLIP was trained to be dense with residual and MLP, which the paper leaves out, so that both stay.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(
        type='ProxyBackbone',
        proxy=dict(type='DINOBackbone', model='scenes_dino'),
        proxy_size=192,
        residual=True,
        mlp=True,
        **_base_.clip),
    text_encoder=_base_.clip)
