# CAT-Seg, trained on COCO-Stuff, on VOC with background: PASCAL Context's other names stand for it.
_base_ = ['./_base_/cat-seg_vit-l14-336.py', '../_base_/datasets/voc21_640.py']
model = dict(vocabulary='voc-catseg-21')
