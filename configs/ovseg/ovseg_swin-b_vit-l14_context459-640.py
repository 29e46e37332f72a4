_base_ = [
    './_base_/ovseg_swin-b_vit-l14.py',
    '../_base_/datasets/context459.py',
    './_base_/short-side-640.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='pascal-context-459', trained_on='coco-stuff-171', ensemble=dict(weight=0.6))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = test_dataloader
