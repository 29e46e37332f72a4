# Mask-Adapter (arXiv 2412.04533) on FC-CLIP's ConvNeXt-L: maps that are learned pool CLIP's features for each mask.
_base_ = '../../fcclip/_base_/fc-clip_convnext-l.py'
model = dict(
    type='MaskTunedMaskFormer',
    region_classifier=dict(_delete_=True, type='MaskAdapterPooling', clip_dim=768, threshold=0.5),
    ensemble=dict(alpha=0.7, beta=0.9))
