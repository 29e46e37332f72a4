# COCO 2014 captions, train split (https://cocodataset.org): pictures with five sentences each, a square from the middle.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, interpolation='bicubic', antialias=True),
    dict(type='ovdense.CenterCrop', size=448),
    dict(type='mmseg.PackSegInputs', meta_keys=('img_path', 'caption')),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoCaptionsDataset',
        data_root='data/coco/',
        ann_file='annotations/captions_train2014.json',
        data_prefix=dict(img_path='train2014'),
        pipeline=train_pipeline))
