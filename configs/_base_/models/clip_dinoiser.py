# CLIP-DINOiser (arXiv 2312.12359): values of the last block, pooled along correspondences that a convolution on the
# third last block's MLP input learned from DINO ViT-B/16. Configs on top of it say which CLIP. The teachers are built
# only in training.
model = dict(
    _scope_='ovdense',  # so that MMSegInferencer, which starts in the scope mmseg, finds the model
    type='OpenVocabSegmentor',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='CLIPBackbone', attention='value', position='mmseg', capture=('mlp_input', ), frozen=True),
    text_encoder=dict(type='CLIPTextEncoder'),
    decode_head=dict(type='CLIPDINOiserHead', in_channels=768, pretrained=None),
    test_cfg=dict(mode='slide', crop_size=448, stride=224))
