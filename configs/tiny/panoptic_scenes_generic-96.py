# Things and stuff by words in drawings of your own, with the tiny CLIP: the shorter side becomes 96 pixels.
_base_ = './panoptic_scenes_scenes-143-96.py'
model = dict(proposals=dict(scales=(1.0, 0.6)))
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmdet.PackDetInputs', meta_keys=meta_keys),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
