# FOUND's training (arXiv 2212.07834): the pictures of a folder (the paper: DUTS-TR), no labels, 500 iterations.
# Pictures elsewhere: --cfg-options train_dataloader.dataset.data_root=DIR
_base_ = [
    '../_base_/models/found.py',
    '../_base_/datasets/image_folder_train.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(data_preprocessor=dict(size=(224, 224)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(100000, 224), keep_ratio=True),
    dict(type='RandomResize', scale=(100000, 224), ratio_range=(0.1, 3.0), resize_type='ovdense.Resize', keep_ratio=True),
    dict(type='ovdense.Resize', scale=(224, 224)),
    dict(type='RandomBlur', prob=0.5, sigma=(0.1, 2.0)),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=50, dataset=dict(data_root='data/DUTS/DUTS-TR-Image', num_images=None, pipeline=train_pipeline))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=500)
val_cfg = None
test_cfg = None
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.05, weight_decay=0.01))
param_scheduler = [dict(type='StepLR', step_size=50, gamma=0.95, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=250, max_keep_ckpts=2))
randomness = dict(seed=0)
