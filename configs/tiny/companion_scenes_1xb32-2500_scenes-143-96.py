# The self-supervised companion of the tiny CLIP (`scenes_dino`): contrast of pasted blobs, class token as in DINO.
# Base and novel objects are in the pictures; their labels are not read. About 20 minutes on one CPU core.
_base_ = ["../_base_/datasets/scenes_seg_train.py", "../_base_/default_runtime_seg.py"]
model = dict(
    _scope_="ovdense",
    type="PasteContrastPretrainer",
    model_options=dict(
        img_size=64,
        patch_size=8,
        embed_dim=128,
        depth=5,
        num_heads=4,
        pretrained_cfg_overlay=dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ),
)
test_pipeline = [dict(type="LoadImageFromFile"), dict(type="mmseg.PackSegInputs")]
train_dataloader = dict(
    batch_size=32,
    dataset=dict(vocabulary="scenes-143", objects=["base", "novel"], num_scenes=200000, pipeline=test_pipeline),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=2500)
val_cfg = None
test_cfg = None
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.03), clip_grad=dict(max_norm=1.0)
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type="CosineAnnealingLR", eta_min=2e-5, begin=100, end=2500, by_epoch=False),
]
default_hooks = dict(
    _delete_=True,
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=100),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=500, by_epoch=False, max_keep_ckpts=2),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
randomness = dict(seed=0)
