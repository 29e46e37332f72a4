_base_ = ['./cityscapes.py', '../pipelines/short-side-688.py']
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = test_dataloader
