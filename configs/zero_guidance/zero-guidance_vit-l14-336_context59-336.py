# Zero-guidance segmentation: words count as the class of pascal-context-59 whose name is nearest (cosine of texts, 0.5 at least).
_base_ = [
    './_base_/zero-guidance_vit-l14-336.py',
    '../_base_/pipelines/square-336.py',
    '../_base_/datasets/context59.py',
]
model = dict(answer='pascal-context-59')
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
val_dataloader = test_dataloader
