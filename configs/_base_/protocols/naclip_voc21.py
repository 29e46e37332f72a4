_base_ = ['./naclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-21'),
    test_cfg=dict(_delete_=True, mode='whole', logit_scale=40, prob_threshold=0.1))
