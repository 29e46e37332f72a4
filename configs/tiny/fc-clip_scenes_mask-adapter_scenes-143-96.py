# FC-CLIP whose frozen CLIP looks through Mask-Adapter's maps, in the smallest sizes (arXiv 2412.04533).
_base_ = './fc-clip_scenes_scenes-143-96.py'
model = dict(
    region_classifier=dict(
        type='MaskAdapterPooling', clip_dim=384, threshold=0.45, adapter=dict(width=32, num_maps=4, num_blocks=3)))
