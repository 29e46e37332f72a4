# Training for semantic segmentation on COCO-Stuff by the paper's recipe, 8 GPUs with a picture each.
_base_ = [
    './_base_/maft-plus_convnext-l.py',
    '../_base_/datasets/coco-stuff_mask-800.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/maft-plus_55k.py',
]
model = dict(
    vocabulary=dict(source='coco-stuff-171', templates='vild'), test_cfg=dict(panoptic_on=False, instance_on=False))
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=5000, max_keep_ckpts=3, save_last=True))
log_processor = dict(by_epoch=False)
