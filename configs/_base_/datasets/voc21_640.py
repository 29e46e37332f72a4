_base_ = ['./voc21.py', '../pipelines/short-side-640.py']
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = test_dataloader
