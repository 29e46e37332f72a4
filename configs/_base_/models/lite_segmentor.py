# The embedded photo model: cosine of every grid cell with every name. Cells of one score map are comparable, so the
# softmax of the top probability has a mild scale.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='OpenVocabSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='CLIPBackbone', model='lite', pretrained=None),
    text_encoder=dict(type='CLIPTextEncoder', model='lite', pretrained=None),
    decode_head=dict(type='PixelTextHead'),
    test_cfg=dict(mode='whole', resize='direct', logit_scale=10))
