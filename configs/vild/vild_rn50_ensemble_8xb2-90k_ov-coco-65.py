# ViLD-ensemble (arXiv 2104.13921), a head for text and one for images, OV-COCO.
_base_ = ['./vild_rn50_8xb2-90k_ov-coco-65.py']
model = dict(
    roi_head=dict(type='ovdense.EnsembleRoIHead', bbox_head=dict(type='ovdense.EnsembleTextBBoxHead')))
