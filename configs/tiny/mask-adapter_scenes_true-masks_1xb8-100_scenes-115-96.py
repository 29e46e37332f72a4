# Mask-Adapter, first stage, on base classes: true masks. load_from takes a checkpoint of FC-CLIP's twin.
_base_ = './fc-clip_scenes_1xb8-300_scenes-115-96.py'
model = dict(
    type='MaskTunedMaskFormer',
    region_classifier=dict(
        _delete_=True, type='MaskAdapterPooling', clip_dim=384, threshold=0.5, logit_scale=20.0,
        adapter=dict(width=32, num_maps=4, num_blocks=1)),
    num_matched=0)
train_cfg = dict(max_iters=100, val_interval=100)
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=100, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=100))
