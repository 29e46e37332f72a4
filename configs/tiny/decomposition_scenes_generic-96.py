# Text-based decomposition with the tiny CLIP on drawings of your own: the shorter side becomes 96 pixels.
_base_ = './maskclip_scenes_generic-96.py'
model = dict(
    backbone=dict(type='DecomposedCLIP', attention='vanilla'),
    decode_head=dict(_delete_=True, type='DecompositionHead'))
