# MaskCLIP++-style (arXiv 2412.11464): the image tower of FC-CLIP is tuned on true masks; the masks are FC-CLIP's.
_base_ = '../../fcclip/_base_/fc-clip_convnext-l.py'
model = dict(
    type='MaskTunedMaskFormer',
    backbone=dict(frozen=False),
    tuned=(r'backbone\.visual\.trunk\.(stem|stages|norm_pre)\.',),
    num_matched=0,
    anchor_weight=1.0)
