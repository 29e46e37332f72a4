# All objects, base and novel, and textures, by a checkpoint of the training on base classes.
_base_ = [
    '../_base_/models/san_scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(vocabulary='scenes-143')
test_dataloader = dict(dataset=dict(vocabulary='scenes-143'))
val_dataloader = test_dataloader
val_evaluator = dict(groups=('base', 'novel', 'stuff'))
test_evaluator = val_evaluator
