# CAT-Seg, trained on COCO-Stuff, on another set.
_base_ = ['./_base_/cat-seg_vit-b16.py', '../_base_/datasets/ade20k-847_640.py']
model = dict(vocabulary='ade20k-847')
