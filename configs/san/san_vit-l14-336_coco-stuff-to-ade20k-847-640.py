# SAN, trained on COCO-Stuff, on another set.
_base_ = ['./_base_/san_vit-l14-336.py', '../_base_/datasets/ade20k-847_640.py']
model = dict(vocabulary='ade20k-847')
