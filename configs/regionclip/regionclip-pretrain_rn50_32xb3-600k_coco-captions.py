# Region-text pretraining on COCO's captions. The concepts are a file of your own, one noun a line (4764 in the paper).
_base_ = ['../_base_/datasets/coco_captions.py', '../_base_/default_runtime_det.py']
clip = dict(model='RN50', pretrained='openai')
model = dict(
    _scope_='ovdense',
    type='RegionTextPretrainer',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=1),
    backbone=dict(type='CLIPResNetC4', frozen_stages=2, **clip),
    roi_extractor=dict(type='ovdense.CLIPResNetTail', **clip),
    proposals=dict(type='OfflineRPN', pretrained='checkpoints/rpn_lvis_866.pth', nms=0.5, max_per_img=300),
    text_encoder=dict(type='CLIPTextEncoder', templates='vild', **clip),
    concepts='data/coco/concepts.txt',
    max_regions=100,
    threshold=0.1)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_path', 'ori_shape', 'img_shape', 'scale_factor', 'caption')),
]
train_dataloader = dict(
    batch_size=3, sampler=dict(type='InfiniteSampler', shuffle=True), dataset=dict(pipeline=train_pipeline))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=600000)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='LinearLR', start_factor=0.001, begin=0, end=5000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000), logger=dict(interval=50))
log_processor = dict(by_epoch=False)
