# NACLIP on Cityscapes.
_base_ = ['./_base_/naclip_vit-b16.py', '../_base_/protocols/naclip_cityscapes.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
