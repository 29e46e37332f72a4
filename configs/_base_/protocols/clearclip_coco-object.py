_base_ = ['./clearclip.py', '../datasets/coco-object_448.py']
protocol = dict(
    vocabulary=dict(source='coco-object-clearclip-81'),
    test_cfg=dict(prob_threshold=0.4))
