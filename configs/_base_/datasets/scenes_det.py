# Generated scenes, 96 x 96 pixels, with boxes and masks. Training knows the base classes only (the others are in no
# picture); the test asks for all 127 classes. Nothing is read from disk.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ScenesDetDataset',
        vocabulary='scenes-127',
        objects='base',
        split='train',
        num_scenes=4000,
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ScenesDetDataset',
        vocabulary='scenes-127',
        split='val',
        num_scenes=150,
        test_mode=True,
        pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='mmdet.CocoMetric', metric=['bbox', 'segm'])
test_evaluator = val_evaluator
