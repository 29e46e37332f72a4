# Zero-guidance segmentation: words count as the class of voc-20 whose name is nearest (cosine of texts, 0.5 at least).
_base_ = [
    './_base_/zero-guidance_vit-l14-336.py',
    '../_base_/pipelines/square-336.py',
    '../_base_/datasets/voc20.py',
]
model = dict(answer='voc-20')
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
val_dataloader = test_dataloader
