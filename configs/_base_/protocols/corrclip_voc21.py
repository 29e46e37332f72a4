_base_ = ['./corrclip.py', '../datasets/voc21_336.py']
protocol = dict(
    vocabulary=dict(source='voc-corrclip-21'),
    test_cfg=dict(prob_threshold=0.2))
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='LoadRegionMasks', folder='data/region_masks/voc'),
    *_base_.test_pipeline[1:-1],
    _base_.pack_with_regions,
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
