# CLIPSeg in a small size, on the embedded CLIP for drawn scenes: 12 x 12 patches of 8 pixels.
_base_ = ['./clipseg.py', '../backbones/scenes.py']
model = dict(
    data_preprocessor=dict(_delete_=True, type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, size=(96, 96),
                           pad_val=0, seg_pad_val=255),
    backbone=dict(attention='value', out_indices=(1, 2, 3), **_base_.clip),
    text_encoder=dict(_delete_=True, type='CLIPTextEncoder', normalize=False, **_base_.clip),
    decode_head=dict(text_dim=384, map_channels=128, width=64, feedforward=256, patch_size=8))
