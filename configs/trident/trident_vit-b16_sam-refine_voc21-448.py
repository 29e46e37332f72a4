# With SAM's refinement: needs the package segment-anything and the official weights of SAM ViT-B.
_base_ = './trident_vit-b16_voc21-448.py'
model = dict(
    refine=dict(
        type='SAMPrompts', checkpoint='data/sam/sam_vit_b_01ec64.pth', coarse_threshold=0.2, min_area=225, min_iou=0.8))
