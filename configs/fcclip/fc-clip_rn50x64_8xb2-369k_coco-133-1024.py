# Training on COCO panoptic by the paper's recipe, 8 GPUs with 2 pictures each.
_base_ = [
    './_base_/fc-clip_rn50x64.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/datasets/coco_panoptic_lsj-1024.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/mask2former_369k.py',
]
model = dict(vocabulary=dict(source='coco-133', templates='vild'))
