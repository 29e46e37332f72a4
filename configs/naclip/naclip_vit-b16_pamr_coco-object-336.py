# With PAMR, the official default: 10 iterations on the maps of original size; minutes a picture on a CPU.
_base_ = './naclip_vit-b16_coco-object-336.py'
model = dict(refine=dict(type='PAMR', num_iter=10, dilations=(8, 16)))
