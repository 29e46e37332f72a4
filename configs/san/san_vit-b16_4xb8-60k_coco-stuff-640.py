# SAN's recipe on COCO-Stuff: 60,000 steps of 32 pictures.
_base_ = [
    './_base_/san_vit-b16.py',
    '../_base_/datasets/coco-stuff_640.py',
    '../_base_/datasets/coco-stuff_train_640.py',
    '../_base_/schedules/san_60k.py',
]
model = dict(vocabulary='coco-stuff-171')
