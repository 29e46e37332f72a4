# LPOSS+ on generated scenes: 5 x 5 neighbours and softer colours, for the speckled textures.
_base_ = './lposs_scenes_scenes-48-96.py'
model = dict(refine=dict(type='PixelPropagation', radius=2, tau=0.03))
