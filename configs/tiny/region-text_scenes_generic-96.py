# Boxes and masks by words in drawn scenes: the embedded tiny CLIP and its proposal net. Pictures of 96 pixels.
_base_ = ['../_base_/models/region_text_detector.py', '../_base_/default_runtime_det.py']
model = dict(
    proposals=dict(short_side=96, scales=(1.0, 0.6)),
    roi_head=dict(pool='mask', activation='sigmoid', logit_scale=15.0, logit_bias=-6.0, objectness_weight=0.3))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(2000, 96), keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
