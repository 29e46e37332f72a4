# RegionCLIP's pretraining on generated scenes and their captions: the tiny CLIP teaches a copy of itself regions.
_base_ = ['../_base_/datasets/scenes_det_train.py', '../_base_/default_runtime_det.py']
model = dict(
    _scope_='ovdense',
    type='RegionTextPretrainer',
    backbone=dict(type='CLIPBackbone', model='scenes', frozen=False),
    roi_extractor=dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=4, sampling_ratio=0),
        out_channels=384,
        featmap_strides=[8]),
    proposals=dict(type='TinyProposalNet', pretrained='scenes_proposals'),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes'),
    concepts='scenes-143',
    temperature=0.05,
    teacher_temperature=0.05,
    weights=dict(caption=0.1))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'caption')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-5, weight_decay=1e-4), clip_grad=dict(max_norm=5.0))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=40), logger=dict(interval=5))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
