# Training on COCO panoptic by the paper's recipe, 8 GPUs with 2 pictures each.
_base_ = [
    './_base_/fc-clip_convnext-b.py',
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
