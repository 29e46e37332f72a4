# ExCEL on the tags of COCO train2017, 80 things and background; descriptions=FILE adds 224 attributes. The number of steps
# is ours. Label maps: tools/dataset_converters/coco_object.py --splits train2017 val2017.
_base_ = [
    '../_base_/models/excel.py',
    '../_base_/datasets/coco-object_448.py',
    '../_base_/datasets/tags_train_320.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary=dict(source='coco-object-clearclip-81'), attributes=224, decode_head=dict(num_classes=81),
    calibrate_from=37000, learn_from_self=64000)
train_dataloader = dict(dataset=dict(
    type='COCOObjectDataset',
    data_root='data/coco_stuff164k',
    data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017'),
    pipeline={{_base_.train_pipeline}}))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=5000)
val_cfg = dict(type='ValLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='PolyLR', power=1.0, begin=50, end=80000, by_epoch=False),
]
