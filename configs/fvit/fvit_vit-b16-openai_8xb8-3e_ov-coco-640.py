# F-ViT (arXiv 2310.01403), OV-COCO with OpenAI's CLIP, which the paper has not.
_base_ = [
    '../_base_/models/fvit.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/ov_coco_65_lsj-640.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/fvit_3e.py',
]
model = dict(
    vocabulary='coco-65',
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    roi_head=dict(
        vlm=dict(logit_scale=75.0, base_weight=0.1, novel_weight=0.8)))
