# CLIP-DINOiser (arXiv 2312.12359) on ADE20K: short side 448, windows of 448, stride 224. Give its weights to
# tools/test.py: a checkpoint of a training, or the official last.pt through tools/model_converters/import_heads.py.
_base_ = [
    '../_base_/models/clip_dinoiser.py',
    '../_base_/backbones/vit-b16_laion2b.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=_base_.clip, text_encoder=_base_.clip, vocabulary=_base_.vocabulary)
