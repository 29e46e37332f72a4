# The region CLIP of OVSeg without any training: proposals of `scenes_proposals`, named by their masked crops.
_base_ = [
    '../_base_/models/region_text_detector.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-127',
    roi_head=dict(
        _delete_=True,
        type='MaskCropHead',
        objectness_weight=0.3,
        classifier=dict(
            type='RegionCLIPClassifier',
            logit_scale=40.0,
            backbone=dict(type='CLIPBackbone', model='scenes', attention='vanilla'))))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
