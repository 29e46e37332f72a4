# FOUND's first stage alone, which needs no weights but DINO's: what does not resemble the least attended patch.
_base_ = './found_vit-s8_generic-448.py'
model = dict(decode_head=dict(source='discovery', pretrained=None))
