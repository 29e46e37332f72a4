# COCO panoptic, 133 classes; 5,000 pictures, short side 800 (annotations: panoptic_annotations_trainval2017).
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticMap'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction', 'panoptic')),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoPanopticMapsDataset',
        data_root='data/coco/',
        ann_file='annotations/panoptic_val2017.json',
        data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'),
        test_mode=True,
        pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='PanopticQuality', groups=('thing', 'stuff'), prefix='coco')
test_evaluator = val_evaluator
