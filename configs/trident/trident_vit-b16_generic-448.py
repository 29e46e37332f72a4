# Trident (arXiv 2411.09219) on pictures and names of your own: short side 448, windows of 336, stride 224.
_base_ = [
    './_base_/trident_vit-b16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(backbone=dict(crop_size=336, stride=224), vocabulary=_base_.vocabulary)
