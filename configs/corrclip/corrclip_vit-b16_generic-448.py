# CorrCLIP (arXiv 2411.10086) on pictures and names of your own: short side 448, windows of 336, stride 112. Masks
# are read from data/region_masks where there are any, and are segments of like colour elsewhere.
_base_ = [
    './_base_/corrclip_vit-b16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    vocabulary=_base_.vocabulary,
    regions=dict(type='FelzenszwalbRegions'),
    test_cfg=dict(mode='slide', crop_size=336, stride=112, logit_scale=40, region_vote=True))
meta_keys = (
    'img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor', 'flip', 'flip_direction',
    'reduce_zero_label', 'region_ids')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadRegionMasks', folder='data/region_masks', optional=True),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs', meta_keys=meta_keys),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
