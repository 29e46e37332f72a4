_base_ = ['./corrclip.py', '../datasets/cityscapes_448.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-corrclip-19'),
    test_cfg=dict(crop_size=224))
