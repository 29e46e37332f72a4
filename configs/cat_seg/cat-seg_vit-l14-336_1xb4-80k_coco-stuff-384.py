# CAT-Seg's recipe on COCO-Stuff: 80,000 steps of 4 pictures.
_base_ = [
    './_base_/cat-seg_vit-l14-336.py',
    '../_base_/datasets/coco-stuff_640.py',
    '../_base_/datasets/coco-stuff_train_384.py',
    '../_base_/schedules/cat_seg_80k.py',
]
model = dict(vocabulary='coco-stuff-171', data_preprocessor=dict(size=(384, 384)))
val_cfg = dict(type='ValLoop')
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000, max_keep_ckpts=2))
