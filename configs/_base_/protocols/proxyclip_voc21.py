_base_ = ['./proxyclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-proxyclip-21'),
    test_cfg=dict(prob_threshold=0.2))
