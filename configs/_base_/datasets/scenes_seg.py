# Generated scenes, 96 x 96 pixels, 32 objects and 16 textures (scenes-48). Nothing is read from disk.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ScenesSegDataset', split='val', num_scenes=120, test_mode=True, pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], groups=('thing', 'stuff'))
test_evaluator = val_evaluator
