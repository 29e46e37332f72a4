# The text tower of the embedded models: an open_clip TextTransformer that learns MiniLM's centred sentence vectors.
# Data: tools/dataset_converters/make_sentences.py data/sentences. See the model card for time and figures.
_base_ = ["../_base_/default_runtime_seg.py"]
data_root = "data/sentences"
max_iters = 4000
model = dict(
    type="TextDistiller",
    embed_dim=384,
    text_cfg=dict(context_length=32, vocab_size=10752, width=256, heads=4, layers=4, mlp_ratio=2.0, proj_bias=True),
    start=f"{data_root}/bag_of_words.safetensors",
    precision="bf16",
)
train_dataloader = dict(
    num_workers=0,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    batch_sampler=dict(type="LengthBatchSampler", batch_size=128),
    collate_fn=dict(type="pad_sentences"),
    dataset=dict(type="SentenceDataset", data_root=data_root),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=max_iters)
val_cfg = test_cfg = None
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02),
    paramwise_cfg=dict(custom_keys={'token_embedding': dict(decay_mult=0.0)}, norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type="CosineAnnealingLR", eta_min=1e-5, begin=50, end=max_iters, by_epoch=False),
]
default_hooks = dict(
    _delete_=True,
    logger=dict(type="LoggerHook", interval=20),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=100, by_epoch=False, max_keep_ckpts=2),
)
# Every checkpoint holds the mean of the last hundred steps or so, so that any of them may be exported.
custom_hooks = [dict(type="EMAHook", momentum=0.02)]
randomness = dict(seed=0)
