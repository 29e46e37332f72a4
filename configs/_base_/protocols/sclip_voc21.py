_base_ = ['./sclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-21'),
    test_cfg=dict(logit_scale=65, prob_threshold=0.1, area_threshold=0.1))
