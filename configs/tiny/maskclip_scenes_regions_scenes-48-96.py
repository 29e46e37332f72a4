# MaskCLIP on generated scenes with the proposals of `scenes_proposals`: each region is named as a whole, by its mean
# feature and the class token of its crop.
_base_ = ['./maskclip_scenes_scenes-48-96.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='RegionRefinedBackbone',
        clip=dict(type='CLIPBackbone', attention='value', model='scenes', pretrained=None),
        proposals=dict(type='TinyProposalNet', pretrained='scenes_proposals')),
    decode_head=dict(_delete_=True, type='ThingStuffHead'))
