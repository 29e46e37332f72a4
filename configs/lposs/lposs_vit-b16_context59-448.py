# LPOSS on PASCAL Context without background.
_base_ = ['./_base_/lposs_vit-b16.py', '../_base_/protocols/lposs_context59.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
