_base_ = ['./naclip.py', '../datasets/coco-object_336.py']
protocol = dict(
    vocabulary=dict(source='coco-object-sclip-81'),
    test_cfg=dict(prob_threshold=0.1))
