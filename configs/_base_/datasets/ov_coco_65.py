# OV-COCO among 65 names (OVR-CNN, RegionCLIP, F-ViT): base boxes to train, pictures with a box of the 65 to test.
# The files come from tools/dataset_converters/ov_coco.py.
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
source = 'run tools/dataset_converters/ov_coco.py on the official annotations of COCO 2017'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(
        type='OpenVocabDetDataset',
        protocol='ov-coco-65',
        vocabulary='coco-65',
        source=source,
        data_root='data/coco',
        ann_file='annotations/instances_train2017_seen_2_65_cat.json',
        data_prefix=dict(img='train2017'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='OpenVocabDetDataset',
        protocol='ov-coco-65',
        vocabulary='coco-65',
        source=source,
        data_root='data/coco',
        ann_file='annotations/instances_val2017_all_2.json',
        data_prefix=dict(img='val2017'),
        test_mode=True,
        pipeline=test_pipeline))
val_dataloader = test_dataloader
test_evaluator = dict(type='OpenVocabCocoMetric', metric='bbox', classwise=True)
val_evaluator = test_evaluator
test_cfg = dict(type='TestLoop')
