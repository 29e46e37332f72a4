_base_ = ['./corrclip.py', '../datasets/coco-object_336.py']
protocol = dict(
    vocabulary=dict(source='coco-object-corrclip-81'),
    test_cfg=dict(prob_threshold=0.25))
