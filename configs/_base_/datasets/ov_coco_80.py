# OV-COCO among all 80 names on all pictures (ovdet). Base and novel truth lie in two files there; here the official
# file has both, which gives the same figures, since AP is computed class by class. Not comparable with ov_coco_65.
_base_ = ['./ov_coco_65.py']
train_dataloader = dict(
    dataset=dict(
        protocol='ov-coco-80', vocabulary='coco-80', ann_file='annotations/instances_train2017_base.json'))
test_dataloader = dict(
    dataset=dict(protocol='ov-coco-80', vocabulary='coco-80', ann_file='annotations/instances_val2017.json'))
val_dataloader = test_dataloader
test_evaluator = dict(groups=('novel', 'base'))
val_evaluator = test_evaluator
