# NACLIP (github.com/sinahmr/NACLIP, configs/): whole pictures on VOC.
protocol = dict(
    name='naclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
