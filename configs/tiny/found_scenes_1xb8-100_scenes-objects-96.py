# FOUND (arXiv 2212.07834) on generated scenes without labels. The class token of the companion looks at the background,
# so that the discovery starts from the most attended patch. Learning from its own masks drifts here to all or nothing:
# the discovery teaches to the end. About a minute on one CPU core.
_base_ = [
    '../_base_/models/found.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/datasets/scenes_seg_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(model='scenes_dino', pretrained=False),
    decode_head=dict(in_channels=128, seed='most', threshold=-0.3, discovery_steps=100, edge_weight=0.3))
train_dataloader = dict(batch_size=8)
test_dataloader = dict(dataset=dict(type='ScenesObjectnessDataset'))
val_dataloader = test_dataloader
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100, val_interval=100)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.02, weight_decay=0.01))
param_scheduler = [dict(type='StepLR', step_size=50, gamma=0.95, by_epoch=False)]
randomness = dict(seed=0)
