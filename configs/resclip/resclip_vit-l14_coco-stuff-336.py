# ResCLIP on COCO-Stuff 164k.
_base_ = ['./_base_/resclip_vit-l14.py', '../_base_/protocols/resclip_coco-stuff.py']
model = dict(
    backbone=dict(attention_options=dict(rcs_weights=(2.0, 0.4), sfr_weights=(1.8, 0.7))),
    decode_head=dict(label_threshold=0.11),
    vocabulary=_base_.protocol.vocabulary,
    test_cfg=_base_.protocol.test_cfg)
