# ProxyCLIP (github.com/mc-lan/ProxyCLIP, configs/), which runs in half precision.
protocol = dict(
    name='proxyclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=336, stride=112, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
