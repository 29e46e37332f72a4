# The tiny CLIP `scenes`, first stage: crops of 48 pixels, class token and patches; about an hour on one CPU core. The
# loss of assigned patches is as it was trained; the second stage does without and puts things in their place.
_base_ = [
    '../_base_/models/name_contrast.py',
    '../_base_/datasets/scenes_captions.py',
    '../_base_/schedules/muon_pretrain.py',
]
model = dict(assignment_weight=1.0)
