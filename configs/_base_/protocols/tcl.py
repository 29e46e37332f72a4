# TCL, as CLIP-DINOiser runs it (github.com/wysoczanska/clip_dinoiser, segmentation/): "background" is a name.
protocol = dict(
    name='tcl',
    family='TCL',
    test_cfg=dict(mode='slide', crop_size=448, stride=224, logit_scale=100),
    vocabulary=dict(templates='imagenet-80'))
