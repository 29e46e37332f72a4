# AGD20K, heat maps of 36 affordances (https://github.com/lhc1224/Cross-View-AG); setting='Unseen' for new objects.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='PackAffordanceInputs'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='AGD20KDataset',
        data_root='data/AGD20K',
        setting='Seen',
        pipeline=test_pipeline))
val_dataloader = test_dataloader
test_evaluator = dict(type='HeatMapMetric')
val_evaluator = test_evaluator
