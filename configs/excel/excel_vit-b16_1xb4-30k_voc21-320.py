# ExCEL on the tags of VOC 2012 (10,582 pictures of trainaug), 30,000 steps; descriptions=FILE adds 112 attributes.
_base_ = [
    '../_base_/models/excel.py',
    '../_base_/datasets/voc21_448.py',
    '../_base_/datasets/tags_train_320.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary=dict(source='voc-clearclip-21'), attributes=112, decode_head=dict(num_classes=21))
train_dataloader = dict(dataset=dict(
    type='VOC21Dataset',
    data_root='data/VOCdevkit/VOC2012',
    ann_file='ImageSets/Segmentation/trainaug.txt',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    pipeline={{_base_.train_pipeline}}))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=30000, val_interval=2000)
val_cfg = dict(type='ValLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='PolyLR', power=1.0, begin=50, end=30000, by_epoch=False),
]
