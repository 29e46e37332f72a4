# ClearCLIP (arXiv 2407.12442) on pictures and names of your own: short side 448, windows of 448, stride 224.
_base_ = [
    './_base_/clearclip_vit-l14.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=448, stride=224, logit_scale=50))
