# Semantic maps of generated scenes by a checkpoint of the training on base classes.
_base_ = [
    '../_base_/models/ovseg_scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='scenes-48', trained_on='scenes-115')
