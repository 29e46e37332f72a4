# Trident (github.com/YuHengsss/Trident, configs/); its lists of names were not at hand: ProxyCLIP's are taken.
protocol = dict(
    name='trident',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=336, stride=224, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
