"""Models of a mask head on a ConvNeXt CLIP in sizes of a few channels, pictures and truth for them."""

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from ovdense.structures import ClassEmbeddings, Vocabulary

DIMS = (16, 24, 32, 40)


def clip_config():
    import timm
    from timm.models import register_model
    from timm.models.convnext import ConvNeXt

    name = "tiny_convnext_of_maft_plus"
    if not timm.is_model(name):

        def build(pretrained=False, **_):
            model = ConvNeXt(depths=(1, 1, 2, 1), dims=DIMS, num_classes=0)
            model.pretrained_cfg = model.default_cfg = dict(input_size=(3, 320, 320))
            return model

        build.__name__, build.__module__ = name, "timm.models.convnext"
        register_model(build)
    vision = dict(timm_model_name=name, timm_model_pretrained=False, timm_pool="", timm_proj="mlp", image_size=320)
    vision |= dict(timm_drop=0.0, timm_drop_path=0.0)
    return dict(
        embed_dim=20,
        vision_cfg=vision,
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )


def head_config():
    attention = dict(embed_dims=32, num_heads=4, dropout=0.0, batch_first=True)
    ffn = dict(embed_dims=32, feedforward_channels=48, num_fcs=2, act_cfg=dict(type="ReLU", inplace=True))
    return dict(
        type="FCCLIPHead",
        in_channels=list(DIMS),
        strides=[4, 8, 16, 32],
        feat_channels=32,
        out_channels=32,
        num_queries=12,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(self_attn_cfg=dict(num_levels=3, num_points=4, **attention), ffn_cfg=ffn),
            ),
            positional_encoding=dict(num_feats=16, normalize=True),
        ),
        positional_encoding=dict(num_feats=16, normalize=True),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=2,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(
            type="mmdet.DiceLoss", use_sigmoid=True, activate=True, naive_dice=True, eps=1.0, loss_weight=5.0
        ),
    )


TRAIN_CFG = dict(
    num_points=64,
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


def embeddings():
    vocabulary = Vocabulary(
        ("dog", "zebra", "grass"),
        (("dog", "puppy"), ("zebra",), ("grass",)),
        groups=dict(thing=(0, 1), stuff=(2,)),
    )
    rows = F.normalize(torch.randn(4, 20, generator=torch.Generator().manual_seed(3)), dim=1)
    return ClassEmbeddings(rows, [0, 0, 1, 2], vocabulary, space="")


def images(*sizes):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, *size, generator=generator) for size in sizes]


def samples(size):
    sample = DetDataSample(metainfo=dict(img_shape=size, batch_input_shape=size, ori_shape=size))
    masks = torch.zeros(1, *size, dtype=torch.bool)
    masks[0, : size[0] // 2] = True
    sample.gt_instances = InstanceData(labels=torch.tensor([1]), masks=masks)
    semantic = torch.full((1, *size), 2)
    semantic[:, : size[0] // 2] = 255
    sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return sample
