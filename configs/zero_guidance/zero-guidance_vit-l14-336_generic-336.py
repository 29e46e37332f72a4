# Everything in pictures of your own segmented and named, with no names given.
_base_ = ['./_base_/zero-guidance_vit-l14-336.py', '../_base_/datasets/images.py']
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(336, 336), keep_ratio=False, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
