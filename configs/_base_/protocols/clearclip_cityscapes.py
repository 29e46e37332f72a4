_base_ = ['./clearclip.py', '../datasets/cityscapes_448.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-sclip-19'),
    test_cfg=dict(crop_size=224))
