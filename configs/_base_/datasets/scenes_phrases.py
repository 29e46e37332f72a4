# Generated scenes, 96 x 96 pixels, one name and its mask each. Nothing is read from disk.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackPhraseInputs'),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackPhraseInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='ScenesPhraseDataset', split='train', num_scenes=4000, pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ScenesPhraseDataset', split='val', num_scenes=120, test_mode=True, pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='PhraseMaskMetric', at=(0.3, 0.5))
test_evaluator = val_evaluator
