# Mask-Adapter, second stage: true masks and the proposals that cover them. load_from takes the first stage's checkpoint.
_base_ = './mask-adapter_scenes_true-masks_1xb8-100_scenes-115-96.py'
model = dict(num_matched=8)
