_base_ = ['./ade20k-847.py', '../pipelines/short-side-640.py']
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = test_dataloader
