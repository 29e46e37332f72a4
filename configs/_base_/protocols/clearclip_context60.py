_base_ = ['./clearclip.py', '../datasets/context60_448.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-60'),
    test_cfg=dict(prob_threshold=0.15))
