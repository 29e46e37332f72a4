# SC-CLIP on COCO-Stuff 164k.
_base_ = ['./_base_/scclip_vit-b16.py', '../_base_/protocols/scclip_coco-stuff.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
