# ProxyCLIP, DINOv2 as proxy, on COCO-Stuff 164k.
_base_ = ['./_base_/proxyclip_vit-b16_dinov2.py', '../_base_/protocols/proxyclip_coco-stuff.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
