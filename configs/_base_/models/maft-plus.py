# MAFT+ (arXiv 2408.00744): FC-CLIP's proposals, named by a CLIP that learns and by text that looks at the picture.
_base_ = './fc-clip.py'
model = dict(
    type='MAFTPlus',
    backbone=dict(frozen=False),
    mask_head=dict(num_queries=100),
    transfer=dict(mode='semantic', num_heads=8),
    ensemble=None,
    ranking_weight=1.0,
    compensation_weight=0.1,
    official_quirks=True,
    test_cfg=dict(object_mask_thr=0.2, iou_thr=0.7))
