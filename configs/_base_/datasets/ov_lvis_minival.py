# LVIS v1 minival with fixed AP: for detectors that have not seen boxes of LVIS.
_base_ = ['./ov_lvis.py']
test_dataloader = dict(
    dataset=dict(
        protocol='ov-lvis-minival', ann_file='annotations/lvis_v1_minival_inserted_image_name.json'))
val_dataloader = test_dataloader
test_evaluator = dict(fixed_ap=True)
val_evaluator = test_evaluator
