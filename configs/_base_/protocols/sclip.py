# SCLIP (github.com/wangf3014/SCLIP, configs/).
protocol = dict(
    name='sclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
