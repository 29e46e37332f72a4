# Talk2DINO with PAMR on COCO-Stuff 164k.
_base_ = ['./_base_/talk2dino_dinov3-vit-b16.py', '../_base_/protocols/talk2dino_coco-stuff.py']
model = dict(
    vocabulary=_base_.protocol.vocabulary,
    refine=dict(type='PAMR', num_iter=10, dilations=(1, 2, 4, 8, 12, 24)),
    test_cfg=_base_.protocol.test_cfg)
