# Second stage: true masks, and FC-CLIP's proposals that cover them. Start from the first: load_from=CHECKPOINT.
_base_ = './mask-adapter_convnext-l_true-masks_8xb3-49k_coco-133-1024.py'
model = dict(num_true=16, num_matched=8, iou_thr=0.7, class_weight=2.0, consistency_weight=5.0)
