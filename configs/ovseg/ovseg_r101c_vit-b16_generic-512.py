# Pictures and words of one's own; a weight of 0 takes the region CLIP alone, as the official demo does.
_base_ = ['./_base_/ovseg_r101c_vit-b16.py', './_base_/short-side-512.py', '../_base_/default_runtime_seg.py']
model = dict(trained_on='coco-stuff-171', mask_thr=0.35, ensemble=dict(weight=0.0))
