# Mask prompts alone learn (OVSeg, section 3.3), here on the tiny CLIP as it is.
_base_ = './ovseg-clip_scenes_1xb64-200_mask-nouns-48.py'
max_iters = 100
model = dict(prompts_only=True, backbone=dict(mask_prompt_depth=3))
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=10, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=10, end=max_iters, by_epoch=False),
]
