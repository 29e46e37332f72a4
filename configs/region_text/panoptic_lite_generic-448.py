# Things and stuff by words in photographs, with the embedded ImageNet model and nothing that was trained on masks.
_base_ = './region-text_lite_generic-448.py'
model = dict(
    type='OpenVocabPanopticDetector',
    vocabulary='coco-133',  # until you give your own words
    stuff_head=dict(type='PixelTextHead'),
    panoptic_cfg=dict(score_thr=0.25, min_stuff_share=0.05))
