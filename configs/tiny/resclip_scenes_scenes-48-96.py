# ResCLIP (arXiv 2411.15851) on generated scenes; the settings are those of ADE20K, the refinement looks about less far.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(
        attention='resclip',
        attention_options=dict(rcs_weights=(2.0, 0.3), sfr_weights=(2.1, 0.7)),
        capture=('block_input', 'recorded', 'images'),
        **_base_.clip),
    decode_head=dict(_delete_=True, type='ResCLIPHead', label_threshold=0.25, dilations=(2, 4)),
    text_encoder=_base_.clip)
