# ViLD-ensemble (arXiv 2104.13921) on drawn scenes: labels of base classes train the text head, crops the image head.
_base_ = [
    '../_base_/models/text_two_stage_scenes.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/datasets/scenes_det_train.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    type='ViLDDetector',
    backbone=dict(frozen=True),
    teacher=dict(backbone=dict(type='CLIPBackbone', model='scenes'), crop_size=48),
    distill=dict(num=8, weight=0.1),
    roi_head=dict(
        type='ovdense.EnsembleRoIHead',
        bbox_head=dict(
            type='ovdense.EnsembleTextBBoxHead',
            with_avg_pool=False,
            num_shared_fcs=1,
            fc_out_channels=256,
            classifier=dict(embed_dim=384, projection=True, background='learned'))))
train_dataloader = dict(batch_size=8)
val_evaluator = dict(_delete_=True, type='GroupedCocoMetric', metric='bbox')
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80, val_interval=80)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='OneCycleLR', eta_max=2e-3, total_steps=80, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=80), logger=dict(interval=10))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
