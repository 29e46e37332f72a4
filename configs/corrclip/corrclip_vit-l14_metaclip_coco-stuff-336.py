# CorrCLIP on COCO-Stuff 164k.
_base_ = ['./_base_/corrclip_vit-l14_metaclip.py', '../_base_/protocols/corrclip_coco-stuff.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
