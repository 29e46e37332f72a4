# MaskCLIP on Cityscapes.
_base_ = ['./_base_/maskclip_vit-l14.py', '../_base_/protocols/tcl_cityscapes.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
