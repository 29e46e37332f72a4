# The seeds of ExCEL without training: text maps of the surgery ViT. Name only what the picture shows.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
clip = dict(model='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    type='AttributeSegmentor',
    vocabulary=_base_.vocabulary,
    backbone=dict(type='SurgeryCLIP', depth=5, **clip),
    text_encoder=dict(templates='a clean origami {}.', **clip),
    decode_head=dict(type='SurgeryHead'))
