# PMP-style guidance (our reading of the abstract of arXiv 2412.10292) of FC-CLIP on ConvNeXt-B, trained on COCO panoptic.
_base_ = ['../../_base_/models/fc-clip.py', '../../_base_/backbones/convnext-b_laion.py']
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    mask_head=dict(type='PromptGuidedFCCLIPHead', prompt_heads=8, in_channels=[128, 256, 512, 1024]),
    trained_on='coco-133')
