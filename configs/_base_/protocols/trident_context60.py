_base_ = ['./trident.py', '../datasets/context60_576.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-60'),
    test_cfg=dict(prob_threshold=0.15))
