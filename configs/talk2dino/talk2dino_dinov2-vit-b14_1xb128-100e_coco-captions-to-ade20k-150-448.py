# Talk2DINO's training on DINOv2 with registers: COCO 2014 captions, 100 epochs of Adam; the frozen towers
# see everything once.
_base_ = ['./talk2dino_dinov2-vit-b14_ade20k-150-448.py', '../_base_/datasets/coco_captions.py']
model = dict(decode_head=dict(pretrained=None))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=100)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
custom_hooks = [dict(type='CaptionFeaturesHook', batch_size=16)]
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=10), logger=dict(log_metric_by_epoch=True))
log_processor = dict(by_epoch=True)
randomness = dict(seed=123)
