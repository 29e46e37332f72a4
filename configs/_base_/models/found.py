# FOUND (arXiv 2212.07834): objects as what does not resemble the background, by one convolution on the keys of a DINO.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='OpenVocabSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='DINOBackbone', model='vit_small_patch8_224.dino', pretrained=True, capture=('k', 'attention'), frozen=True),
    decode_head=dict(type='FOUNDHead', in_channels=384),
    test_cfg=dict(mode='whole'))
