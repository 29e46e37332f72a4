# Talk2DINO with PAMR on PASCAL Context without background.
_base_ = ['./_base_/talk2dino_dinov3-vit-b16.py', '../_base_/protocols/talk2dino_context59.py']
model = dict(
    vocabulary=_base_.protocol.vocabulary,
    refine=dict(type='PAMR', num_iter=10, dilations=(1, 2, 4, 8, 12, 24)),
    test_cfg=_base_.protocol.test_cfg)
