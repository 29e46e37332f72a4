# Talk2DINO (arXiv 2411.19331) on generated scenes: the sentences of the tiny CLIP are mapped to the patches of its
# companion, by captions alone. The frozen towers see every scene once; two minutes on a CPU. The companion's class token
# looks past objects, so that the twin learns textures.
_base_ = [
    '../_base_/models/talk2dino.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(model='scenes_dino', input_size=96),
    text_encoder=dict(model='scenes'),
    decode_head=dict(text_dim=384, image_dim=128))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.PackSegInputs', meta_keys=('img_path', 'caption')),
]
train_dataloader = dict(
    batch_size=64,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(num_scenes=2000, pipeline=train_pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=20)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
custom_hooks = [dict(type='CaptionFeaturesHook')]
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=10), logger=dict(log_metric_by_epoch=True))
log_processor = dict(by_epoch=True)
randomness = dict(seed=0)
