# BDD100K, 19 classes of Cityscapes, 1,000 pictures of 1280 x 720 (http://bdd-data.berkeley.edu/).
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.RandomResize', scale=(1280, 720), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(1280, 720), keep_ratio=True),
    dict(type='LoadAnnotations'),  # after resizing: the score is taken at the original size
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BDD100K19Dataset',
        data_root='data/bdd100k',
        data_prefix=dict(img_path='images/10k/train', seg_map_path='labels/sem_seg/masks/train'),
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BDD100K19Dataset',
        data_root='data/bdd100k',
        data_prefix=dict(img_path='images/10k/val', seg_map_path='labels/sem_seg/masks/val'),
        pipeline=test_pipeline))
val_dataloader = test_dataloader
test_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
val_evaluator = test_evaluator
