# F-ViT (arXiv 2310.01403) on generated scenes: boxes of the base classes only, novel ones named by text and CLIP's vote.
_base_ = [
    '../_base_/models/fvit.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/datasets/scenes_det_train.py',
    '../_base_/default_runtime_det.py',
]
norm_cfg = dict(type='BN', requires_grad=True)
fpn = dict(in_channels=[128] * 4, out_channels=48, norm_cfg=norm_cfg)
model = dict(
    data_preprocessor=dict(mean=None, std=None),
    vocabulary='scenes-127',
    backbone=dict(model='scenes', out_indices=(1, 2, 3, 4)),
    text_encoder=dict(model='scenes'),
    neck=dict(channels=128, norm_cfg=norm_cfg, fpn=fpn),
    rpn_head=dict(
        in_channels=48, feat_channels=48, num_convs=1, anchor_generator=dict(scales=[6], strides=[2, 4, 8, 16, 32])),
    roi_head=dict(
        vlm=dict(logit_scale=25.0, base_weight=0.5, novel_weight=0.9),
        bbox_roi_extractor=dict(out_channels=48, featmap_strides=[2, 4, 8, 16], finest_scale=14),
        bbox_head=dict(
            in_channels=48, fc_out_channels=384, num_shared_convs=1, num_shared_fcs=1, conv_out_channels=48,
            norm_cfg=norm_cfg, classifier=dict(logit_scale=20.0))),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=100), rcnn=dict(sampler=dict(num=64, pos_fraction=0.4))),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=60)))
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200, val_interval=200)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(_delete_=True, type='GroupedCocoMetric', metric=['bbox'])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=200, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=100), logger=dict(interval=10))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
