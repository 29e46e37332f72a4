# Mapillary Vistas in the 19 classes of Cityscapes, 2,000 pictures, as domain generalisation is tested.
# Label maps: tools/dataset_converters/city_train_ids.py mapillary.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='LoadAnnotations'),  # after resizing: the score is taken at the original size
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='Mapillary19Dataset',
        data_root='data/mapillary',
        data_prefix=dict(img_path='training/images', seg_map_path='training/v1.2/labels_train_ids'),
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='Mapillary19Dataset',
        data_root='data/mapillary',
        data_prefix=dict(img_path='validation/images', seg_map_path='validation/v1.2/labels_train_ids'),
        pipeline=test_pipeline))
val_dataloader = test_dataloader
test_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
val_evaluator = test_evaluator
