# CorrCLIP on PASCAL Context with background.
_base_ = ['./_base_/corrclip_vit-b16.py', '../_base_/protocols/corrclip_context60.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
