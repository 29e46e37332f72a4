# Pairs of a mask and a noun (tools/dataset_converters/mine_mask_nouns.py) and the recipe of the CLIPs.
default_scope = 'ovdense'
custom_imports = dict(imports=['ovdense'], allow_failed_imports=False)
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='MaskNounDataset',
        data_root='data/coco',
        ann_file='mask_nouns.jsonl',
        data_prefix=dict(img_path='train2017'),
        size=224))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, begin=0, end=5, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=True),
    sampler_seed=dict(type='DistSamplerSeedHook'))
