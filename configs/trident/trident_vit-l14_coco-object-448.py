# Trident on COCO-Object without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-l14.py', '../_base_/protocols/trident_coco-object.py']
model = dict(
    backbone=dict(crop_size=336, stride=224),
    vocabulary=_base_.protocol.vocabulary,
    test_cfg=dict(prob_threshold=_base_.protocol.test_cfg.prob_threshold))
