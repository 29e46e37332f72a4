# Boxes and masks by words in photographs, with real CLIP weights.
_base_ = [
    '../_base_/models/region_text_vit-b16.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
