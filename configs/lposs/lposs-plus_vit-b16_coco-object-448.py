# LPOSS+: the scores of LPOSS propagated once more, over the pixels of the input (13 x 13 neighbours, Lab).
_base_ = './lposs_vit-b16_coco-object-448.py'
model = dict(refine=dict(type='PixelPropagation', radius=6, tau=0.01))
