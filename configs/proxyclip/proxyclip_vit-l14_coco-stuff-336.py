# ProxyCLIP on COCO-Stuff 164k.
_base_ = ['./_base_/proxyclip_vit-l14.py', '../_base_/protocols/proxyclip_coco-stuff.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
