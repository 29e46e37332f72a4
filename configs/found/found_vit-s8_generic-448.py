# FOUND (arXiv 2212.07834) on pictures of your own: object or background. tools/model_converters/import_heads.py makes
# the decoder's file, of the official decoder_weights.pt or a training by found_vit-s8_1xb50-500_images-224.py.
_base_ = ['../_base_/models/found.py', '../_base_/datasets/images.py', '../_base_/default_runtime_seg.py']
model = dict(decode_head=dict(pretrained='checkpoints/found_vit-s8.pth'))
