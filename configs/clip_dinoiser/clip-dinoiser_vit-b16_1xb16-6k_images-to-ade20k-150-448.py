# The same training, tested on ADE20K at its end.
_base_ = [
    './clip-dinoiser_vit-b16_1xb16-6k_images-448.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
]
model = dict(vocabulary=_base_.vocabulary)
train_cfg = dict(val_interval=6300)
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
