# The tiny CLIP learns to read an alpha channel: whole pictures of drawn scenes, the mask says which object is meant.
_base_ = './ovseg-clip_scenes_1xb64-200_mask-nouns-48.py'
model = dict(backbone=dict(alpha=True))
train_dataloader = dict(dataset=dict(whole=True, generator=dict(size=(48, 48))))
