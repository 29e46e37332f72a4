# ClearCLIP (github.com/mc-lan/ClearCLIP, configs/), which runs in half precision.
protocol = dict(
    name='clearclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=448, stride=224, logit_scale=50),
    vocabulary=dict(templates='imagenet-80'))
