_base_ = ['./scclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-21'),
    test_cfg=dict(logit_scale=50, prob_threshold=0.15, area_threshold=0.1))
