# OV-COCO: boxes of the 48 base classes to train, 65 names to test. load_from: the imported region-text pretraining.
_base_ = [
    './_base_/regionclip_rn50-c4.py',
    './_base_/schedule_90k.py',
    '../_base_/datasets/ov_coco_65.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='coco-65', roi_head=dict(bbox_head=dict(classifier=dict(trained_group='base'))))
train_dataloader = dict(batch_size=2, sampler=dict(type='InfiniteSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
