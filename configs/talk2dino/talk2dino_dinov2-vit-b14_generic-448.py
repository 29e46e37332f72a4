# Talk2DINO (arXiv 2411.19331) on DINOv2 with registers, pictures and names of your own: short side 448,
# windows of 448, stride 224.
_base_ = [
    './_base_/talk2dino_dinov2-vit-b14.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    vocabulary=dict(source=_base_.vocabulary.source, templates='simple-7'),
    test_cfg=dict(mode='slide', crop_size=448, stride=224))
