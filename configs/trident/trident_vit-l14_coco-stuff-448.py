# Trident on COCO-Stuff 164k without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-l14.py', '../_base_/protocols/trident_coco-stuff.py']
model = dict(
    backbone=dict(crop_size=336, stride=224),
    vocabulary=_base_.protocol.vocabulary)
