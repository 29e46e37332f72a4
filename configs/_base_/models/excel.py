# ExCEL (arXiv 2503.20826): text maps of a frozen CLIP, calibrated, teach a decoder from image tags. CLIP ViT-B/16.
clip = dict(model='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    _scope_='ovdense',
    type='TaggedSegmentor',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size=(320, 320)),
    backbone=dict(type='SurgeryCLIP', depth=5, captured=True, **clip),
    text_encoder=dict(type='CLIPTextEncoder', templates='a clean origami {}.', **clip),
    decode_head=dict(type='ExCELHead', in_channels=768, blocks=12, embed_dim=256, layers=3, heads=8),
    calibrate_from=14000, learn_from_self=24000, box_threshold=0.79, affinity_weight=0.1, radius=8,
    test_cfg=dict(mode='slide', crop_size=320, stride=213, logit_scale=1))
