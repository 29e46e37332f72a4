_base_ = ['./sclip.py', '../datasets/context60_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-60'),
    test_cfg=dict(logit_scale=50, prob_threshold=0.1))
