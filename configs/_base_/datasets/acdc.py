# ACDC, 19 classes, 406 pictures of 1920 x 1080 (https://acdc.vision.ee.ethz.ch/); one condition alone:
# --cfg-options test_dataloader.dataset.conditions="['night']"
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.RandomResize', scale=(1920, 1080), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(1920, 1080), keep_ratio=True),
    dict(type='LoadAnnotations'),  # after resizing: the score is taken at the original size
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ACDCDataset',
        data_root='data/acdc',
        split='train',
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ACDCDataset',
        data_root='data/acdc',
        split='val',
        pipeline=test_pipeline))
val_dataloader = test_dataloader
test_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
val_evaluator = test_evaluator
