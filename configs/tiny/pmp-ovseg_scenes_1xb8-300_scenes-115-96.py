# PMP-style on OVSeg's decoder: its queries read the names that are asked for (our reading of the abstract).
_base_ = './ovseg_scenes_1xb8-300_scenes-115-96.py'
model = dict(mask_head=dict(type='PromptGuidedOVSegHead', prompt_heads=4))
