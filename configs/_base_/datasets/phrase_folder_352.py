# Masks of your own: DIR/images/NAME.jpg and DIR/masks/PHRASE/NAME.png, not 0 where the phrase is.
data_root = 'data/mine/'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPhraseMask'),
    dict(type='ObjectCrop', min_share=0.05),
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackPhraseInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPhraseMask', resized=False),
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='PackPhraseInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='PhraseFolderDataset', data_root=data_root + 'train', negative_prob=0.2, pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PhraseFolderDataset', data_root=data_root + 'test', test_mode=True, pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='PhraseMaskMetric')
test_evaluator = val_evaluator
