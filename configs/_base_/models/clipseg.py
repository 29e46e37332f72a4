# CLIPSeg: a light decoder on three stages of a frozen CLIP, modulated by a phrase. A config adds the CLIP and the size.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='CLIPSegmentor',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255,
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),  # ImageNet's, as in the official code
    backbone=dict(
        type='CLIPBackbone', attention='vanilla', position='mmseg', out_indices=(3, 7, 9), capture=('stages',)),
    text_encoder=dict(type='CLIPTextEncoder', templates=['{}'], normalize=False, normalize_before_mean=False),
    decode_head=dict(type='CLIPSegHead', text_dim=512, map_channels=768, width=64),
    threshold=0.5,
    test_cfg=dict(mode='whole'))
