# Panoptic maps of generated scenes, base and novel classes, by a checkpoint of the PMP-style training below.
_base_ = [
    '../_base_/models/fc-clip_scenes.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-143', trained_on='scenes-115',
    mask_head=dict(type='PromptGuidedFCCLIPHead', prompt_heads=4))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
