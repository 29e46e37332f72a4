# Pictures of your own, short side 448. With a COCO json of your own, tools/test.py measures boxes and masks.
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=meta_keys),
]
test_dataloader = dict(  # mm's inferencers read the pipeline here
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root='data/images',
        ann_file='annotations.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=test_pipeline))
test_evaluator = dict(type='mmdet.CocoMetric', ann_file='data/images/annotations.json', metric='bbox')
test_cfg = dict(type='TestLoop')
