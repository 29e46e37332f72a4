# CorrCLIP (arXiv 2411.10086) on pictures and names of your own: short side 448, windows of 336, stride 112. Masks
# are read from data/region_masks where there are any, and are segments of like colour elsewhere.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
clip = dict(model='ViT-B-16-quickgelu', pretrained='metaclip_fullcc')
model = dict(
    backbone=dict(
        type='CorrCLIPBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch8_224.dino', pretrained=True),
        **clip),
    text_encoder=clip,
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
