# Zero-guidance segmentation (arXiv 2303.13396): segments of a DINO, CLIP's masked attention, the nearest word, merging.
model = dict(
    _scope_='ovdense',
    type='ZeroGuidanceSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='CLIPBackbone'),
    text_encoder=dict(type='CLIPTextEncoder'),
    segments=dict(type='WardTree', backbone=dict(type='DINOBackbone'), leaves=20),
    words=('lvis-1203', 'coco-stuff-171', 'ade20k-150'),
    first_block=20, spread=5.0, merge_threshold=0.8)
