# CLIPSeg learns the mask of a name on drawn scenes; a fifth of the names are not to be seen.
_base_ = [
    '../_base_/models/clipseg_scenes.py',
    '../_base_/datasets/scenes_phrases.py',
    '../_base_/default_runtime_seg.py',
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1000, val_interval=1000)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2))
param_scheduler = [dict(type='OneCycleLR', eta_max=2e-3, total_steps=1000, by_epoch=False)]
