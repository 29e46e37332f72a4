# CorrCLIP (arXiv 2411.10086) on generated scenes: attention inside the masks of `scenes_proposals`, and a vote in them.
# The embedded models want the residual and MLP that the paper leaves out, and the last map of the proxy.
_base_ = ['./maskclip_scenes_scenes-48-96.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='CorrCLIPBackbone',
        model='scenes',
        pretrained=None,
        proxy=dict(type='DINOBackbone', model='scenes_dino'),
        proxy_feature='last',
        spatial_blocks=(3,),
        residual=True,
        mlp=True),
    regions=dict(type='ProposedRegions', proposals=dict(type='TinyProposalNet', pretrained='scenes_proposals')),
    decode_head=dict(_delete_=True, type='PixelTextHead'),
    test_cfg=dict(region_vote=True))
