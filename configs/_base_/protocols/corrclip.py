# CorrCLIP (github.com/zdk258/CorrCLIP, CorrCLIPv1/configs/): the pipelines read region masks, and masks vote at the end.
protocol = dict(
    name='corrclip',
    family='SCLIP',
    test_cfg=dict(mode='slide', crop_size=336, stride=112, logit_scale=40, region_vote=True),
    vocabulary=dict(templates='imagenet-80'))
pack_with_regions = dict(
    type='mmseg.PackSegInputs',
    meta_keys=(
        'img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor', 'flip', 'flip_direction',
        'reduce_zero_label', 'region_ids'))
