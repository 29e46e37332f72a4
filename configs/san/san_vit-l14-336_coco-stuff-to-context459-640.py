# SAN, trained on COCO-Stuff, on another set.
_base_ = ['./_base_/san_vit-l14-336.py', '../_base_/datasets/context459_640.py']
model = dict(vocabulary='pascal-context-459')
test_evaluator = dict(present_only=True)  # as the published figure was taken
val_evaluator = test_evaluator
