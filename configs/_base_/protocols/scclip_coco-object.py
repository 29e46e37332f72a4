_base_ = ['./scclip.py', '../datasets/coco-object_336.py']
protocol = dict(
    vocabulary=dict(source='coco-object-sclip-81'),
    test_cfg=dict(logit_scale=55, prob_threshold=0.35))
