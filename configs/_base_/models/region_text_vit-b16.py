# Real CLIP weights; sigmoid, so that a single word works as well.
_base_ = ['./region_text_lite.py']
model = dict(
    backbone=dict(model='ViT-B-16', pretrained='openai', attention='qq+kk', with_global=True),
    text_encoder=dict(model='ViT-B-16', pretrained='openai'),
    roi_head=dict(
        similarity='cosine', activation='sigmoid', logit_scale=60.0, logit_bias=-15.0,
        crop_weight=0.5, crop_size=224, calibration=None),
    test_cfg=dict(score_thr=0.15))
