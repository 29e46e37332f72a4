# A CLIP whose patches are compared with names. Configs on top of it say which CLIP (backbone, text_encoder), which
# attention of its last block, and how images are cut. Mean and std are the backbone's own.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='OpenVocabSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='CLIPBackbone'),
    text_encoder=dict(type='CLIPTextEncoder'),
    decode_head=dict(type='PixelTextHead'),
    test_cfg=dict(mode='whole'))
