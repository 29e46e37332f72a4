# CAT-Seg in the smallest sizes, on the embedded CLIP for drawn scenes: 12 x 12 patches of 8 pixels, frozen text.
_base_ = ['./cat_seg.py', '../backbones/scenes.py']
model = dict(
    backbone=dict(out_indices=(1, 3), **_base_.clip),
    text_encoder=dict(_delete_=True, type='CLIPTextEncoder', **_base_.clip),
    decode_head=dict(
        map_channels=128, text_dim=384, guidance_channels=(32, 16), width=32, num_layers=1, window=6, pad_len=64,
        text_guidance=32, image_guidance=32, decoder_dims=(32, 16), decoder_guidance_proj=(8, 4),
        ignored_as_negative=False),
    canvas=None,
    whole_view=False,
    test_cfg=dict(_delete_=True, mode='whole'))
