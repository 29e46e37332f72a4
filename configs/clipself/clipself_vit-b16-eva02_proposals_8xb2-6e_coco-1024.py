# CLIPSelf (arXiv 2310.01403) of EVA-02 B/16: proposals of an RPN.
_base_ = [
    '../_base_/models/clipself.py',
    '../_base_/backbones/vit-b16_eva02.py',
    '../_base_/datasets/region_folder_train.py',
    '../_base_/schedules/clipself_6e.py',
]
model = dict(backbone=_base_.clip)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackRegionCrops', image_size=1024, crop_size=224, source='proposals'),
]
train_dataloader = dict(dataset=dict(
    proposals_file='data/coco/annotations/instances_train2017_proposals.json', pipeline=train_pipeline))
