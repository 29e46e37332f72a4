# Mask prompts alone (OVSeg, section 3.3), on the adapted CLIP, exported by tools/model_converters/export_mask_clip.py.
_base_ = './_base_/mask-nouns_224.py'
clip = dict(model='ViT-L-14-quickgelu', pretrained='checkpoints/ovseg-clip_vit-l14.safetensors')
model = dict(
    type='MaskNounContrast',
    prompts_only=True,
    backbone=dict(type='CLIPBackbone', attention='vanilla', mask_prompt_depth=3, **clip),
    text_encoder=dict(type='CLIPTextEncoder', **clip))
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(
    type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=0.05, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0))
