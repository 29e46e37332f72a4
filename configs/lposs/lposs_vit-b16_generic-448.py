# LPOSS (arXiv 2503.19777) on pictures and names of your own: OpenCLIP and DINO, short side 448, windows of 224, stride 112.
_base_ = [
    './_base_/lposs_vit-b16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=100))
