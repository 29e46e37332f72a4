# OV-LVIS: boxes of the 866 frequent and common classes to train, all 1203 names to test, boxes alone.
_base_ = [
    './_base_/regionclip_rn50-c4.py',
    './_base_/schedule_90k.py',
    '../_base_/datasets/ov_lvis.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='lvis-1203',
    roi_head=dict(
        bbox_head=dict(
            classifier=dict(trained_group='base'),
            loss_cls=dict(background_weight=0.8, gamma=0.0, average='weights'))),
    test_cfg=dict(
        rcnn=dict(
            score_thr=0.0001,
            nms=dict(_delete_=True, type='nms', iou_threshold=0.5),
            max_per_img=300,
            objectness='sigmoid')))
train_dataloader = dict(batch_size=2, sampler=dict(type='InfiniteSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
