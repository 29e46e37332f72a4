_base_ = ['./corrclip.py', '../datasets/coco-stuff_336.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-corrclip-171'))
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='LoadRegionMasks', folder='data/region_masks/coco'),
    *_base_.test_pipeline[1:-1],
    _base_.pack_with_regions,
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
