# Training on COCO panoptic by FC-CLIP's recipe; no recipe of PMP is public.
_base_ = [
    './_base_/pmp_convnext-b.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/datasets/coco_panoptic_lsj-1024.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/mask2former_369k.py',
]
model = dict(vocabulary=dict(source='coco-133', templates='vild'))
