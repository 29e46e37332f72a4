# ResCLIP on PASCAL Context with background.
_base_ = ['./_base_/resclip_vit-b16.py', '../_base_/protocols/resclip_context60.py']
model = dict(
    backbone=dict(attention_options=dict(rcs_weights=(2.0, 0.3), sfr_weights=(1.8, 0.7))),
    decode_head=dict(label_threshold=0.3),
    vocabulary=_base_.protocol.vocabulary,
    test_cfg=_base_.protocol.test_cfg)
