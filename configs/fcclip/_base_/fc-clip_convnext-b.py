# FC-CLIP (arXiv 2308.02487) on ConvNeXt-B, trained on COCO panoptic.
_base_ = ['../../_base_/models/fc-clip.py', '../../_base_/backbones/convnext-b_laion.py']
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    mask_head=dict(in_channels=[128, 256, 512, 1024]),
    trained_on='coco-fcclip-133')
