# Pictures of your own, short side 448. For label maps as well, see folder.py.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
