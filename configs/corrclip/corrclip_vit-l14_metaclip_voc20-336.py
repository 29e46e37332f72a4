# CorrCLIP on PASCAL VOC without background.
_base_ = ['./_base_/corrclip_vit-l14_metaclip.py', '../_base_/protocols/corrclip_voc20.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
