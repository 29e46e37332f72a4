# The tiny CLIP adapted to masked crops of base classes (OVSeg, section 3.2); its text tower stays as it is.
default_scope = 'ovdense'
custom_imports = dict(imports=['ovdense'], allow_failed_imports=False)
model = dict(
    type='MaskNounContrast',
    backbone=dict(type='CLIPBackbone', model='scenes', attention='vanilla', mask_prompt_depth=0),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes'))
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ScenesMaskNounDataset', size=48, objects=('base',)))
max_iters = 200
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=20, end=max_iters, by_epoch=False),
]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=100, by_epoch=False))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
