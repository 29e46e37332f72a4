# CLIPSelf (arXiv 2310.01403) of OpenAI's L/14: grids of patches, no box needed.
_base_ = [
    '../_base_/models/clipself.py',
    '../_base_/backbones/vit-l14_openai.py',
    '../_base_/datasets/region_folder_train.py',
    '../_base_/schedules/clipself_6e.py',
]
model = dict(backbone=_base_.clip)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackRegionCrops', image_size=896, crop_size=224),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
