# Seeds of ExCEL (arXiv 2503.20826) without training: the surgery ViT and class maps of the tiny CLIP on drawn scenes.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    type='AttributeSegmentor',
    vocabulary='scenes-48',
    backbone=dict(type='SurgeryCLIP', depth=3, **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='SurgeryHead'))
