# F-VLM (arXiv 2209.15639), OV-COCO. CLIP's vote is its attention pool on the last stage.
_base_ = [
    '../_base_/models/fvit.py',
    '../_base_/backbones/rn50_openai.py',
    '../_base_/datasets/ov_coco_65_lsj-640.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/fvit_3e.py',
]
model = dict(
    vocabulary='coco-65',
    data_preprocessor=dict(mean=None, std=None),
    backbone=dict(_delete_=True, type='CLIPBackbone', **_base_.clip),
    text_encoder=_base_.clip,
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        norm_cfg=_base_.norm_cfg),
    roi_head=dict(
        vlm=dict(region='attention_pool', logit_scale=100.0, base_weight=0.2, novel_weight=0.45),
        bbox_head=dict(
            num_cls_fcs=0,
            num_reg_fcs=0,
            num_shared_fcs=1,
            fc_out_channels=1024,
            classifier=dict(embed_dim=1024, projection=True))))
