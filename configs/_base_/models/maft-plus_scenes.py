# MAFT+ in the smallest sizes, on the embedded CLIP for drawn scenes, whose transformer learns.
_base_ = './fc-clip_scenes.py'
model = dict(
    type='MAFTPlus',
    backbone=dict(frozen=False),
    tuned=(r'visual\.transformer\.',),
    transfer=dict(mode='panoptic', num_heads=4),
    ensemble=None)
