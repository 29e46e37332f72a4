# SC-CLIP (github.com/SuleBai/SC-CLIP, configs/).
protocol = dict(
    name='scclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
