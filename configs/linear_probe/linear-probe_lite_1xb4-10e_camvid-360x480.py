# A linear probe of the photo model's last features (1280 channels, stride 32), trained on CamVid with the trunk frozen.
# Nothing is random in the pipeline, so that the features of every photograph are computed once and kept.
_base_ = ['../_base_/models/lite_segmentor.py', '../_base_/datasets/camvid.py', '../_base_/default_runtime_seg.py']
model = dict(
    data_preprocessor=dict(size_divisor=1),
    backbone=dict(towers=('lite0', ), output_stride=32, smooth=1),
    text_encoder=None,
    decode_head=dict(_delete_=True, type='LinearProbeHead', in_channels=1280, num_classes=11, map_index=-1))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=10, val_interval=10)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=10, by_epoch=True)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=True),
    checkpoint=dict(interval=1, by_epoch=True, max_keep_ckpts=1))
log_processor = dict(by_epoch=True)
custom_hooks = [dict(type='FeatureCacheHook')]
randomness = dict(seed=0)
