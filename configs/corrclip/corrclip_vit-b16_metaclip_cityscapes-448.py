# CorrCLIP on Cityscapes.
_base_ = ['./_base_/corrclip_vit-b16_metaclip.py', '../_base_/protocols/corrclip_cityscapes.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
