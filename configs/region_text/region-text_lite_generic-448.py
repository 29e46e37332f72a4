# Boxes and masks by words in photographs, with the embedded ImageNet model and nothing that was trained on boxes.
_base_ = [
    '../_base_/models/region_text_lite.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
