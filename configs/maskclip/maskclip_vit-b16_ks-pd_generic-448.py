# With key smoothing and prompt denoising, the paper's refinements.
_base_ = './maskclip_vit-b16_generic-448.py'
model = dict(
    backbone=dict(capture=('k_out', )),
    decode_head=dict(ks_thresh=1.0, pd_thresh=0.5))
