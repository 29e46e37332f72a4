# COCO-Stuff 164k, 171 classes, 118,287 pictures: the short side at a tenth to twice of 512, crops of 512.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='mmseg.RandomChoiceResize', scales=[512 * tenth // 10 for tenth in range(5, 21)],
        resize_type='mmseg.ResizeShortestEdge', max_size=2048),
    dict(type='mmseg.RandomCrop', crop_size=(512, 512), cat_max_ratio=1.0),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction')),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='COCOStuff164kDataset',
        data_root='data/coco_stuff164k',
        data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017'),
        pipeline=train_pipeline))
