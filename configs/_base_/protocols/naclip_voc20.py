_base_ = ['./naclip.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-20'),
    test_cfg=dict(_delete_=True, mode='whole', logit_scale=40))
