# LPOSS+ with the tiny CLIP on drawings of your own.
_base_ = './lposs_scenes_generic-96.py'
model = dict(refine=dict(type='PixelPropagation', radius=2, tau=0.03))
