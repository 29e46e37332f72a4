# Trident on ADE20K without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-b16.py', '../_base_/protocols/trident_ade20k.py']
model = dict(
    backbone=dict(crop_size=336, stride=224),
    vocabulary=_base_.protocol.vocabulary)
