# CLIPSeg as a segmentor of 48 names, each by a binary map, on a checkpoint of the training beside this file.
_base_ = ['../_base_/models/clipseg_scenes.py', '../_base_/datasets/scenes_seg.py', '../_base_/default_runtime_seg.py']
model = dict(vocabulary='scenes-48')
