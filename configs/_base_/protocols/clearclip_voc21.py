_base_ = ['./clearclip.py', '../datasets/voc21_448.py']
protocol = dict(
    vocabulary=dict(source='voc-clearclip-21'),
    test_cfg=dict(prob_threshold=0.5))
