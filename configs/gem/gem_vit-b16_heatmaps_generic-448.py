# GEM's own maps: whole image, each prompt stretched to [0, 1], for looking at one name at a time.
_base_ = './gem_vit-b16_generic-448.py'
model = dict(
    decode_head=dict(normalize_maps=True),
    test_cfg=dict(_delete_=True, mode='whole', keep_logits=True))
