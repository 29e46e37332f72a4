# Talk2DINO's training on DINOv2 with registers: COCO 2014 captions, 100 epochs of Adam; the frozen towers
# see everything once.
_base_ = ['./talk2dino_dinov2-vit-l14_ade20k-150-448.py', '../_base_/datasets/coco_captions.py']
model = dict(decode_head=dict(pretrained=None))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=100)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
custom_hooks = [dict(type='CaptionFeaturesHook', batch_size=16)]
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=10), logger=dict(log_metric_by_epoch=True))
log_processor = dict(by_epoch=True)
randomness = dict(seed=123)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 518), keep_ratio=True, interpolation='bicubic', antialias=True),
    dict(type='ovdense.CenterCrop', size=518),
    dict(type='mmseg.PackSegInputs', meta_keys=('img_path', 'caption')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
