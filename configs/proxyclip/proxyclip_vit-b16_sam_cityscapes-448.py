# ProxyCLIP, SAM's encoder as proxy, on Cityscapes.
_base_ = ['./_base_/proxyclip_vit-b16_sam.py', '../_base_/protocols/proxyclip_cityscapes.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
