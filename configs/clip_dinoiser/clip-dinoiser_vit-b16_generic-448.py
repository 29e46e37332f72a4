# CLIP-DINOiser (arXiv 2312.12359) on pictures and names of your own. tools/model_converters/import_heads.py makes the
# file of its two convolutions, of the official last.pt or a training by clip-dinoiser_vit-b16_1xb16-6k_images-448.py.
_base_ = [
    './_base_/clip-dinoiser_vit-b16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    vocabulary=_base_.vocabulary,
    decode_head=dict(pretrained='checkpoints/clip_dinoiser_vit-b16.pth'))
