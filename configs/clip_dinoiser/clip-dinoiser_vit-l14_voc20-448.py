# CLIP-DINOiser on PASCAL VOC without background.
# For weights of clip-dinoiser_vit-l14_1xb16-6k_images-448.py.
_base_ = ['./_base_/clip-dinoiser_vit-l14.py', '../_base_/protocols/tcl_voc20.py']
model = dict(vocabulary=_base_.protocol.vocabulary, test_cfg=_base_.protocol.test_cfg)
