# Training for panoptic segmentation on COCO panoptic by the paper's recipe, 8 GPUs with a picture each.
_base_ = [
    './_base_/maft-plus_convnext-b.py',
    '../_base_/datasets/coco_panoptic_800.py',
    '../_base_/datasets/coco_panoptic_lsj-1024.py',
    '../_base_/default_runtime_det.py',
    '../_base_/schedules/maft-plus_60k.py',
]
model = dict(
    trained_on='coco-133',
    transfer=dict(mode='panoptic'),
    vocabulary=dict(source='coco-133', templates='vild'),
    data_preprocessor=dict(batch_augments=[
        dict(
            type='mmdet.BatchFixedSizePad', size=(1024, 1024), img_pad_value=0, pad_mask=True, mask_pad_value=0,
            pad_seg=True, seg_pad_value=255)]))
train_dataloader = dict(batch_size=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=5000, max_keep_ckpts=3, save_last=True))
log_processor = dict(by_epoch=False)
