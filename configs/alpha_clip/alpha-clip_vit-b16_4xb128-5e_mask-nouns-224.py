# Alpha-CLIP, ViT-B/16: the convolution of the mask learns at 4e-5, the tower at a hundredth of it. The official training
# runs over GRIT and ImageNet pairs; here over the pairs that are mined for OVSeg.
_base_ = '../ovseg/ovseg-clip_vit-b16_4xb128-5e_mask-nouns-224.py'
model = dict(backbone=dict(alpha=True))
train_dataloader = dict(dataset=dict(whole=True))
optim_wrapper = dict(
    optimizer=dict(lr=4e-5, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.01), 'logit_scale': dict(lr_mult=0.01)}))
