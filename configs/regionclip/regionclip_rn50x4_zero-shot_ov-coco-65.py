# Zero-shot with CLIP's RN50x4.
_base_ = ['./regionclip_rn50_zero-shot_ov-coco-65.py']
clip = dict(model='RN50x4', pretrained='openai')
model = dict(
    backbone=clip,
    text_encoder=clip,
    roi_head=dict(bbox_roi_extractor=clip, bbox_head=dict(in_channels=640)))
