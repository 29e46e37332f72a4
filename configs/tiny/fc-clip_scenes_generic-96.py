# Pictures of drawn scenes and names of your own, 96 pixels: for mm's inferencers, with a checkpoint of the training.
_base_ = [
    '../_base_/models/fc-clip_scenes.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='scenes-143', trained_on='scenes-115')
_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=_meta_keys),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
