# ProxyCLIP on PASCAL VOC without background.
_base_ = ['./_base_/proxyclip_vit-b16.py', '../_base_/protocols/proxyclip_voc20.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
