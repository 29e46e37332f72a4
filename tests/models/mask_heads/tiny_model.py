"""A mask classifier of the smallest sizes, on the embedded ``scenes`` model or on given rows."""

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from ovdense.registry import MODELS


def head_config(width=16, queries=6, layers=2, in_channels=(16, 16, 16, 16), **more):
    """Arguments of a head on mmdet's Mask2FormerHead."""
    attention = dict(embed_dims=width, num_heads=2, dropout=0.0, batch_first=True)
    ffn = dict(
        embed_dims=width, feedforward_channels=32, num_fcs=2, ffn_drop=0.0, act_cfg=dict(type="ReLU", inplace=True)
    )
    deformable = dict(**attention, num_levels=3, num_points=2)
    positions = dict(num_feats=width // 2, normalize=True)
    return dict(
        type="FCCLIPHead",
        in_channels=list(in_channels),
        strides=[4, 8, 16, 32],
        feat_channels=width,
        out_channels=width,
        num_queries=queries,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=4),
            act_cfg=dict(type="ReLU"),
            encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=deformable, ffn_cfg=ffn)),
            positional_encoding=positions,
        ),
        positional_encoding=positions,
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=layers,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(type="mmdet.DiceLoss", use_sigmoid=True, activate=True, naive_dice=True, eps=1.0),
        **more,
    )


TRAIN_CFG = ConfigDict(
    num_points=64,
    oversample_ratio=3.0,
    importance_sample_ratio=0.75,
    assigner=dict(
        type="mmdet.HungarianAssigner",
        match_costs=[
            dict(type="mmdet.ClassificationCost", weight=2.0),
            dict(type="mmdet.CrossEntropyLossCost", weight=5.0, use_sigmoid=True),
            dict(type="mmdet.DiceCost", weight=5.0, pred_act=True, eps=1.0),
        ],
    ),
    sampler=dict(type="mmdet.MaskPseudoSampler"),
)


def tiny_model(vocabulary=("dog", "fox", "grass"), *, head=None, **options):
    """An ``OpenVocabMaskFormer`` on the embedded ``scenes`` model."""
    init_default_scope("ovdense")
    config = dict(
        type="OpenVocabMaskFormer",
        backbone=dict(type="CLIPBackbone", model="scenes"),
        neck=dict(type="SimpleFeaturePyramid", in_channels=384, out_channels=16, scales=(2, 1, 0.5, 0.25)),
        mask_head={**head_config(), **(head or {})},
        region_classifier=dict(type="CLIPMaskPooling"),
        ensemble=dict(type="SeenUnseenEnsemble"),
        text_encoder=dict(type="CLIPTextEncoder", model="scenes", cache_dir=False),
        vocabulary=list(vocabulary) if isinstance(vocabulary, tuple) else vocabulary,
        train_cfg=TRAIN_CFG,
    )
    return MODELS.build({**config, **options})
