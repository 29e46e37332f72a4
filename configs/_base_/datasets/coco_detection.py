# COCO 2017 detection, 80 classes, all of them labelled; 5,000 pictures (annotations_trainval2017.zip).
_base_ = ['./ov_coco_65.py']
source = 'get annotations_trainval2017.zip of COCO 2017'
train_dataloader = dict(
    dataset=dict(
        protocol='coco-2017', vocabulary='coco-80', source=source, ann_file='annotations/instances_train2017.json'))
test_dataloader = dict(
    dataset=dict(
        protocol='coco-2017', vocabulary='coco-80', source=source, ann_file='annotations/instances_val2017.json'))
val_dataloader = test_dataloader
test_evaluator = dict(
    _delete_=True, type='mmdet.CocoMetric', metric='bbox', ann_file='data/coco/annotations/instances_val2017.json')
val_evaluator = test_evaluator
