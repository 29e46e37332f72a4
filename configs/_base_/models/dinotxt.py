# dino.txt: the patches of a vision head on a frozen DINO are compared with the second half of text vectors; the softmax
# of every window, without temperature, is averaged.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='OpenVocabSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='DINOTxtBackbone'),
    text_encoder=dict(type='DINOTxtTextEncoder'),
    decode_head=dict(type='PixelTextHead'),
    test_cfg=dict(mode='slide', crop_size=384, stride=192, logit_scale=1, window_softmax=True))
