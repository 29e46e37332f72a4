# The embedded photo model on pictures and names of your own: short side 448, whole image, edges by a guided filter.
_base_ = [
    '../_base_/models/lite_segmentor.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='coco-133',
    refine=dict(type='GuidedFilter'),
    test_cfg=dict(contrast=0.15, min_region=0.003))
