# ProxyCLIP on PASCAL Context with background.
_base_ = ['./_base_/proxyclip_vit-l14.py', '../_base_/protocols/proxyclip_context60.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
