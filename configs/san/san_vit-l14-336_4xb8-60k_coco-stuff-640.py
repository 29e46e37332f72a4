# SAN's recipe on COCO-Stuff: 60,000 steps of 32 pictures.
_base_ = [
    './_base_/san_vit-l14-336.py',
    '../_base_/datasets/coco-stuff_640.py',
    '../_base_/datasets/coco-stuff_train_640.py',
    '../_base_/schedules/san_60k.py',
]
model = dict(vocabulary='coco-stuff-171')
val_cfg = dict(type='ValLoop')
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000, max_keep_ckpts=2))
