# DenseCLIP with a CLIP RN101, 8 GPUs of 4 pictures each.
_base_ = [
    '../_base_/models/denseclip.py',
    '../_base_/datasets/ade20k_train_512.py',
    '../_base_/schedules/denseclip_80k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(model='RN101', pretrained='openai'),
    text=dict(model='RN101', pretrained='openai'),
    vocabulary='ade20k-150')
default_hooks = dict(checkpoint=dict(interval=8000, max_keep_ckpts=2))
