# `scenes_cls`, the twin of the tiny CLIP of which only the class token is trained, as of a real CLIP.
_base_ = './clip-pretrain_scenes_1xb64-8k_scenes-143-48.py'
max_iters = 3000
model = dict(patch_weight=0.0, assignment_weight=0.0)
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=200, end=max_iters, by_epoch=False),
]
