# Trident on Cityscapes without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-b16.py', '../_base_/protocols/trident_cityscapes.py']
model = dict(
    backbone=dict(crop_size=336, stride=224, factor=3.0, correlation_tiles=2),
    vocabulary=_base_.protocol.vocabulary)
