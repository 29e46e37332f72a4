_base_ = ['./corrclip.py', '../datasets/context60_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-corrclip-60'),
    test_cfg=dict(prob_threshold=0.15))
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='LoadRegionMasks', folder='data/region_masks/context'),
    *_base_.test_pipeline[1:-1],
    _base_.pack_with_regions,
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
