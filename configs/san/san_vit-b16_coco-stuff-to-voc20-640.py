# SAN, trained on COCO-Stuff, on another set.
_base_ = ['./_base_/san_vit-b16.py', '../_base_/datasets/voc20_640.py']
model = dict(vocabulary='voc-20')
