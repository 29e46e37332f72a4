# What CLIP-DINOiser learns from: DINO's values (cosines from 0.2) and FOUND's objects. tools/model_converters/
# import_heads.py makes the file of FOUND's published decoder (data/weights/decoder_weights.pt of
# github.com/valeoai/FOUND) or of one trained by configs/found.
correspondence_teacher = dict(
    backbone=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True, capture=('v', )), feature='v')
objectness_teacher = dict(
    backbone=dict(type='DINOBackbone', model='vit_small_patch8_224.dino', pretrained=True, capture=('k', )),
    head=dict(type='FOUNDHead', in_channels=384, pretrained='checkpoints/found_vit-s8.pth'),
    antialias=False)
