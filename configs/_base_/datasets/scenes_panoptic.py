# Generated scenes, 96 x 96 pixels, 127 objects and 16 textures, with panoptic maps. Nothing is read from disk.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances', 'panoptic')),
]
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ScenesPanopticDataset',
        vocabulary='scenes-143',
        split='val',
        num_scenes=120,
        test_mode=True,
        pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='PanopticQuality', groups=('thing', 'stuff', 'base', 'novel'))
test_evaluator = val_evaluator
