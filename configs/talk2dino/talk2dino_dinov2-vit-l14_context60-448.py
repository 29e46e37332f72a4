# Talk2DINO with PAMR on PASCAL Context with background.
_base_ = ['./_base_/talk2dino_dinov2-vit-l14.py', '../_base_/protocols/talk2dino_context60.py']
model = dict(
    decode_head=dict(bg_clean=True),
    vocabulary=_base_.protocol.vocabulary,
    refine=dict(type='PAMR', num_iter=10, dilations=(1, 2, 4, 8, 12, 24)),
    test_cfg=dict(prob_threshold=0.54, **_base_.protocol.test_cfg))
