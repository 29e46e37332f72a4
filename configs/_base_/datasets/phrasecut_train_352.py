# PhraseCut+ of CLIPSeg for training: a fifth of the phrases are of other pictures, and a picture of another object of the
# phrase comes along where there is one.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPhraseMask'),
    dict(type='ObjectCrop', min_share=0.05),
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='LoadPromptImage', size=352),
    dict(type='PackPhraseInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='PhraseCutDataset', data_root='data/VGPhraseCut_v0', split='train', negative_prob=0.2, prompt_prob=1.0,
        pipeline=train_pipeline))
