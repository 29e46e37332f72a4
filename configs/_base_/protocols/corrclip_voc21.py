_base_ = ['./corrclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-corrclip-21'),
    test_cfg=dict(prob_threshold=0.2))
