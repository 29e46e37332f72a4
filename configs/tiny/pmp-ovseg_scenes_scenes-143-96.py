# Panoptic maps of generated scenes, base and novel classes, by a checkpoint of the PMP-style OVSeg.
_base_ = './ovseg_scenes_scenes-143-96.py'
model = dict(mask_head=dict(type='PromptGuidedOVSegHead', prompt_heads=4))
