# PMP-style guidance (our reading of the abstract of arXiv 2412.10292) of FC-CLIP on ConvNeXt-L, trained on COCO panoptic.
_base_ = ['../../_base_/models/fc-clip.py', '../../_base_/backbones/convnext-l_laion2b.py']
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    mask_head=dict(type='PromptGuidedFCCLIPHead', prompt_heads=8, in_channels=[192, 384, 768, 1536]),
    trained_on='coco-133')
