# CorrCLIP (arXiv 2411.10086) on ADE20K: short side 448, windows of 336, stride 112; masks in data/region_masks/ade.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='CorrCLIPBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch8_224.dino', pretrained=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=336, stride=112, logit_scale=40, region_vote=True))
meta_keys = (
    'img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor', 'flip', 'flip_direction',
    'reduce_zero_label', 'region_ids')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadRegionMasks', folder='data/region_masks/ade'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs', meta_keys=meta_keys),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
