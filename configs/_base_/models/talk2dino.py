# A DINO whose patches are compared with CLIP's text, mapped into their space. Configs on top of it say which DINO, which
# CLIP and which mapping. Every picture or window is stretched to the backbone's input_size.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='CaptionSegmentor',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size_divisor=1),
    backbone=dict(type='DINOBackbone', capture=('cls_logits', )),
    text_encoder=dict(type='CLIPTextEncoder', normalize=False),
    decode_head=dict(type='Talk2DINOHead'),
    test_cfg=dict(mode='whole', window_align_corners=True))
