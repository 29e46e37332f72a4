# Any folder of pictures for CLIPSelf, with or without boxes that somebody proposed; no labels. The paper takes COCO's
# train2017. Proposals: --cfg-options train_dataloader.dataset.proposals_file=FILE
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackRegionCrops', image_size=1024, crop_size=224),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='RegionFolderDataset', data_root='data/coco/train2017', pipeline=train_pipeline))
