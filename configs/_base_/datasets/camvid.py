# CamVid, 11 classes, 480 x 360 (SegNet layout). Another place: --cfg-options data_root=... sets nothing by itself;
# use train_dataloader.dataset.data_root=... and test_dataloader.dataset.data_root=..., or link it to data/camvid.
data_root = 'data/camvid/'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CamVidDataset', data_root=data_root, split='train', pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CamVidDataset', data_root=data_root, split='test', pipeline=test_pipeline))
val_dataloader = test_dataloader
val_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
test_evaluator = val_evaluator
