# Second stage of the text tower: the names of the shipped vocabularies, alone and in templates, make up more than half
# of every pass. Needs --cfg-options load_from=CHECKPOINT of text-tower_minilm_1xb128-4k_sentences.
_base_ = ["./text-tower_minilm_1xb128-4k_sentences.py"]
max_iters = 1000
train_dataloader = dict(dataset=dict(shipped_repeat=4))
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=6e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type="CosineAnnealingLR", eta_min=5e-6, begin=50, end=max_iters, by_epoch=False),
]
load_from = "work_dirs/text-tower_minilm_1xb128-4k_sentences/iter_4000.pth"
