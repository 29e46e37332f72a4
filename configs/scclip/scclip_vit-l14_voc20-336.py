# SC-CLIP on PASCAL VOC without background.
_base_ = ['./_base_/scclip_vit-l14.py', '../_base_/protocols/scclip_voc20.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
