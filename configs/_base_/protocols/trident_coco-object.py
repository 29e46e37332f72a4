_base_ = ['./trident.py', '../datasets/coco-object_448.py']
protocol = dict(
    vocabulary=dict(source='coco-object-proxyclip-81'),
    test_cfg=dict(prob_threshold=0.25))
