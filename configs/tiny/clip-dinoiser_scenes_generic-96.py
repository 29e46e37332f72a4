# CLIP-DINOiser with the tiny CLIP and the embedded head on drawings of your own: the shorter side becomes 96 pixels.
_base_ = './maskclip_scenes_generic-96.py'
model = dict(
    backbone=dict(capture=('mlp_input', )),
    decode_head=dict(
        _delete_=True,
        type='CLIPDINOiserHead',
        in_channels=128,
        proj_channels=32,
        kernel_size=7,
        gamma=0.6,
        pretrained='scenes_dinoiser'))
