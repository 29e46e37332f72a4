# Pictures of your own, short side 448. For label maps as well, see folder.py.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(  # mm's inferencers read the pipeline here
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ovdense.FolderSegDataset',
        data_root='data/images',
        data_prefix=dict(img_path=''),
        test_mode=True,
        pipeline=test_pipeline))
