_base_ = ['./naclip.py', '../datasets/context60_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-60'),
    test_cfg=dict(prob_threshold=0.1))
