# Panoptic maps of generated scenes, base and novel classes, by a checkpoint of Mask-Adapter's training.
_base_ = './fc-clip_scenes_scenes-143-96.py'
model = dict(
    type='MaskTunedMaskFormer',
    region_classifier=dict(
        _delete_=True, type='MaskAdapterPooling', clip_dim=384, threshold=0.5, logit_scale=20.0,
        adapter=dict(width=32, num_maps=4, num_blocks=1)))
