# Novel objects and textures, by a checkpoint that was trained on base objects.
_base_ = ['../_base_/models/cat-seg_scenes.py', '../_base_/datasets/scenes_seg.py', '../_base_/default_runtime_seg.py']
model = dict(vocabulary='scenes-44')
test_dataloader = dict(dataset=dict(vocabulary='scenes-44'))
val_dataloader = test_dataloader
