# Any folder of pictures, with its subfolders; no labels. 1,000 of them are drawn: CLIP-DINOiser takes ImageNet's train.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(100000, 448), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(448, 448), cat_max_ratio=1.0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBrightness', strength=0.5),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ImageFolderDataset',
        data_root='data/imagenet/train',
        num_images=1000,
        subset_seed=0,
        pipeline=train_pipeline))
