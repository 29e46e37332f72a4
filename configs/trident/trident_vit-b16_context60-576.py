# Trident on PASCAL Context with background without SAM's refinement. The windows are the backbone's; SAM sees the whole picture.
_base_ = ['./_base_/trident_vit-b16.py', '../_base_/protocols/trident_context60.py']
model = dict(
    backbone=dict(crop_size=336, stride=224),
    vocabulary=_base_.protocol.vocabulary,
    test_cfg=dict(prob_threshold=_base_.protocol.test_cfg.prob_threshold))
