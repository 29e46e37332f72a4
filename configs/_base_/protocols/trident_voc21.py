_base_ = ['./trident.py', '../datasets/voc21_448.py']
protocol = dict(
    vocabulary=dict(source='voc-proxyclip-21'),
    test_cfg=dict(prob_threshold=0.2))
