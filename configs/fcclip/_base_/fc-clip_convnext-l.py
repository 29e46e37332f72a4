# FC-CLIP (arXiv 2308.02487) on ConvNeXt-L, trained on COCO panoptic.
_base_ = ['../../_base_/models/fc-clip.py', '../../_base_/backbones/convnext-l_laion2b.py']
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    mask_head=dict(in_channels=[192, 384, 768, 1536]),
    trained_on='coco-fcclip-133')
