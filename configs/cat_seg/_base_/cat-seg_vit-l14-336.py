# CAT-Seg (arXiv 2303.11797) on ViT-L/14 of 336 pixels: windows of 384 are read at 336, 24 x 24 patches.
_base_ = ['../../_base_/models/cat_seg.py', '../../_base_/default_runtime_seg.py']
clip = dict(model='ViT-L-14-336', pretrained='openai')
model = dict(
    backbone=dict(out_indices=(7, 15), **clip),
    text_encoder=clip,
    decode_head=dict(map_channels=1024, text_dim=768),
    input_size=(336, 336))
