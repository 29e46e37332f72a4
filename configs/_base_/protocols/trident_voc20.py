_base_ = ['./trident.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-clearclip-20'),
    test_cfg=dict(stride=112))
