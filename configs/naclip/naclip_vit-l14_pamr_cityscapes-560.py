# With PAMR, the official default: 10 iterations on the maps of original size; minutes a picture on a CPU.
_base_ = './naclip_vit-l14_cityscapes-560.py'
model = dict(refine=dict(type='PAMR', num_iter=10, dilations=(8, 16)))
