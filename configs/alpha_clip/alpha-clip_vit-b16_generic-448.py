# Boxes and masks by words: segments are proposed, and named by an Alpha-CLIP that sees the whole picture and the mask.
# checkpoints/alpha-clip_vit-b16.safetensors: tools/model_converters/import_alpha_clip.py
_base_ = '../region_text/region-text_vit-b16_generic-448.py'
alpha_clip = dict(model='ViT-B-16-quickgelu', pretrained='checkpoints/alpha-clip_vit-b16.safetensors')
model = dict(
    backbone=alpha_clip,
    text_encoder=alpha_clip,
    roi_head=dict(
        _delete_=True,
        type='MaskCropHead',
        objectness_weight=0.3,
        classifier=dict(
            type='RegionCLIPClassifier', fill='keep', expand=float('inf'),
            backbone=dict(type='CLIPBackbone', attention='vanilla', **alpha_clip))))
