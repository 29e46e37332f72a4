# Tuning on true masks of COCO panoptic; rate and length are ours. Start from an FC-CLIP: load_from=CHECKPOINT.
_base_ = [
    './_base_/maskclip-pp_convnext-l.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/datasets/coco_panoptic_lsj-1024.py',
    '../_base_/schedules/mask2former_369k.py',
]
model = dict(
    vocabulary=dict(source='coco-fcclip-133', templates='vild'),
    data_preprocessor=dict(batch_augments=[
        dict(
            type='mmdet.BatchFixedSizePad', size=(1024, 1024), img_pad_value=0, pad_mask=True, mask_pad_value=0,
            pad_seg=True, seg_pad_value=255)]))
train_cfg = dict(max_iters=20000)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [dict(type='CosineAnnealingLR', begin=0, end=20000, by_epoch=False)]
