# ShanghaiTech part A, points of heads; 182 pictures (https://github.com/desenzhou/ShanghaiTechDataset).
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackCrowdInputs'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CrowdPointsDataset',
        data_root='data/shanghaitech/part_A',
        split='test',
        pipeline=test_pipeline))
val_dataloader = test_dataloader
