# DenseCLIP with a CLIP ViT-B/16, 8 GPUs of 4 pictures each.
_base_ = [
    '../_base_/models/denseclip.py',
    '../_base_/datasets/ade20k_train_640.py',
    '../_base_/schedules/denseclip_80k.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    data_preprocessor=dict(size=(640, 640)),
    backbone=dict(
        model='ViT-B-16', pretrained='openai', table_side=None, out_indices=(3, 5, 7, 11), class_twice=True),
    text=dict(model='ViT-B-16', pretrained='openai'),
    pyramid=dict(type='PatchPyramid', channels=768, sync_norm=True),
    vocabulary='ade20k-150',
    score_index=2,
    neck=dict(in_channels=[768, 768, 768 + 150, 768]),
    test_cfg=dict(crop_size=(640, 640), stride=(426, 426)))
default_hooks = dict(checkpoint=dict(interval=8000, max_keep_ckpts=2))
