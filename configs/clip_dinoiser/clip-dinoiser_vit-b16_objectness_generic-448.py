# With the background by objectness, as the paper does for VOC21 and COCO-Object alone: a patch that is unsure of its
# name and shows no object becomes the first class, which is the background.
_base_ = './clip-dinoiser_vit-b16_generic-448.py'
model = dict(
    vocabulary=dict(source='voc-21', background=dict(policy='names', names=['background']), templates='imagenet-80'),
    decode_head=dict(apply_found=True))
