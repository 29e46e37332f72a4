# dino.txt (arXiv 2412.16334) on DINOv3, pictures and names of your own: short side 512, windows of 384, stride 192.
_base_ = [
    '../_base_/models/dinotxt.py',
    '../_base_/backbones/dinotxt_dinov3-vit-l16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(model=_base_.dino, pretrained=_base_.dinotxt),
    text_encoder=dict(pretrained=_base_.dinotxt),
    vocabulary=_base_.vocabulary)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 512), keep_ratio=True, interpolation='bicubic', antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
