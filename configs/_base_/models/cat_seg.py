# CAT-Seg: a CLIP whose query and value projections and position tables learn with the aggregation of its cosines. A
# config adds the CLIP, the blocks of the guidance and the sizes of the head.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='CATSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='CLIPBackbone', attention='value+cls', position='mmseg', finetune=('q', 'v', 'position')),
    text_encoder=dict(
        type='TunedTextEncoder', templates=['A photo of a {} in the scene'], finetune=('q', 'v', 'position')),
    decode_head=dict(
        type='CATSegHead', width=128, num_layers=2, heads=4, window=12, pooling=2, test_pooling=1, pad_len=256,
        ignored_as_negative=True),
    canvas=(640, 640),
    whole_view=True,
    test_cfg=dict(mode='slide', crop_size=384, stride=256))
