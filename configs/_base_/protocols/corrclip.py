# CorrCLIP (github.com/zdk258/CorrCLIP, CorrCLIPv1/configs/).
protocol = dict(
    name='corrclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=336, stride=112, logit_scale=40),
    vocabulary=dict(templates='imagenet-80'))
