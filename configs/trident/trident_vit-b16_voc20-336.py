# Trident on PASCAL VOC without background without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-b16.py', '../_base_/protocols/trident_voc20.py']
model = dict(
    backbone=dict(crop_size=336, stride=112),
    vocabulary=_base_.protocol.vocabulary)
