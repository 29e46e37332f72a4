# The embedded tiny CLIP for drawn scenes; 'value' attention with residual and MLP suits it best (see its model card).
model = dict(
    _scope_='ovdense',
    type='OpenVocabSegmentor',
    backbone=dict(type='CLIPBackbone', model='scenes', pretrained=None, attention='value'),
    decode_head=dict(type='PixelTextHead'),
    text_encoder=dict(type='CLIPTextEncoder', model='scenes', pretrained=None),
    vocabulary='scenes-48',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, size_divisor=1, seg_pad_val=255),
    test_cfg=dict(mode='whole'))
