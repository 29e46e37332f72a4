# A CLIP adapted to masked crops (OVSeg, section 3.2): the image tower learns, the text tower is locked.
_base_ = './_base_/mask-nouns_224.py'
clip = dict(model='ViT-L-14-quickgelu', pretrained='openai')
model = dict(
    type='MaskNounContrast',
    backbone=dict(type='CLIPBackbone', attention='vanilla', mask_prompt_depth=0, **clip),
    text_encoder=dict(type='CLIPTextEncoder', **clip))
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-6, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
