# Large-scale jitter of 640 pixels, padded to one square, for detectors on a frozen ViT.
_base_ = ['./ov_coco_65.py']
size = (640, 640)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=False),
    dict(type='mmdet.RandomResize', resize_type='mmdet.Resize', scale=size, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(
        type='mmdet.RandomCrop',
        crop_type='absolute_range',
        crop_size=size,
        recompute_bbox=True,
        allow_negative_crop=True),
    dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(0.01, 0.01)),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.Pad', size=size, pad_val=dict(img=(104, 116, 124))),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=size, keep_ratio=True),
    dict(type='mmdet.Pad', size=size, pad_val=dict(img=(104, 116, 124))),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(batch_size=8, num_workers=4, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
