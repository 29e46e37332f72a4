# PhraseCut (VGPhraseCut_v0 in data/): a phrase and its mask for each entry, pictures stretched to 352 x 352.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPhraseMask', resized=False),  # judged at the picture's own size
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='PackPhraseInputs'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='PhraseCutDataset', data_root='data/VGPhraseCut_v0', split='test', test_mode=True, pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='PhraseMaskMetric', at=(0.1, 0.3, 0.5))
test_evaluator = val_evaluator
