_base_ = [
    './_base_/ovseg_r101c_vit-b16.py',
    '../_base_/datasets/ade20k-847.py',
    './_base_/short-side-512.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='ade20k-847', trained_on='coco-stuff-171', ensemble=dict(weight=0.7))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = test_dataloader
