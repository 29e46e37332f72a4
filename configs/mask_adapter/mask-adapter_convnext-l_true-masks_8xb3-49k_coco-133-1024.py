# First stage: the adapter learns to name true masks. Start from an FC-CLIP: --cfg-options load_from=CHECKPOINT.
_base_ = [
    './_base_/mask-adapter_convnext-l.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/datasets/coco_panoptic_lsj-1024.py',
    '../_base_/schedules/mask-adapter_49k.py',
]
model = dict(
    num_matched=0,
    vocabulary=dict(source='coco-fcclip-133', templates='vild'),
    data_preprocessor=dict(batch_augments=[
        dict(
            type='mmdet.BatchFixedSizePad', size=(1024, 1024), img_pad_value=0, pad_mask=True, mask_pad_value=0,
            pad_seg=True, seg_pad_value=255)]))
train_dataloader = dict(batch_size=3)
