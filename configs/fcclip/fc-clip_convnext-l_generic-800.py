# Pictures and names of your own, short side 800; the names here are a start: model.set_vocabulary changes them.
_base_ = [
    './_base_/fc-clip_convnext-l.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary=dict(source='coco-fcclip-133', templates='vild'))
_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=_meta_keys),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
