_base_ = ['./corrclip.py', '../datasets/cityscapes_448.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-corrclip-19'),
    test_cfg=dict(crop_size=224))
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='LoadRegionMasks', folder='data/region_masks/cityscapes'),
    *_base_.test_pipeline[1:-1],
    _base_.pack_with_regions,
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
