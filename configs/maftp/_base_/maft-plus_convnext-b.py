# MAFT+ (arXiv 2408.00744) on ConvNeXt-B, trained on COCO-Stuff.
_base_ = ['../../_base_/models/maft-plus.py', '../../_base_/backbones/convnext-b_laion.py']
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    mask_head=dict(in_channels=[128, 256, 512, 1024]),
    trained_on='coco-stuff-171')
