_base_ = ['./corrclip.py', '../datasets/context60_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-corrclip-60'),
    test_cfg=dict(prob_threshold=0.15))
