# Training scenes with objects and textures, base classes only: the others are in no picture and have no name.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='SemanticFromPanoptic'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ScenesPanopticDataset',
        vocabulary='scenes-115',
        split='train',
        num_scenes=4000,
        pipeline=train_pipeline))
