"""What the adapters of mask-proposal classifiers share: heads and backbones in the sizes of a case's weights."""

from __future__ import annotations

import inspect
import re

import timm
from timm.models import register_model
from timm.models.convnext import ConvNeXt
from torch import Tensor

from ovdense.structures import ClassEmbeddings, Vocabulary

LEVELS, POINTS = 3, 4  # scales of the pixel decoder, sampling points of its attention


def class_rows(rows: Tensor, counts: list[int], names: list[str] | None = None) -> ClassEmbeddings:
    """Rows (S,C) whose first ``counts[0]`` belong to class 0, the next to class 1, ...; ``names`` as 'a,b' each."""
    names = names or [",".join(f"class {index} name {row}" for row in range(n)) for index, n in enumerate(counts)]
    phrases = tuple(tuple(part.strip() for part in name.split(",")) for name in names)
    vocabulary = Vocabulary(tuple(group[0] for group in phrases), phrases)
    index = [place for place, count in enumerate(counts) for _ in range(count)]
    return ClassEmbeddings(rows, index, vocabulary, space="")


def mask2former_config(shapes: dict[str, tuple[int, ...]], stated: dict) -> dict:
    """Arguments of a head on mmdet's Mask2FormerHead from official shapes (``sem_seg_head.`` in front)."""
    pixels, predictor = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
    encoder = pixels + "transformer.encoder.layers."
    width = shapes[pixels + "input_proj.0.0.weight"][0]
    mask_width = shapes[pixels + "mask_features.weight"][0]
    hidden = shapes[predictor + "query_feat.weight"][1]
    inputs = [shapes[pixels + f"input_proj.{level}.0.weight"][1] for level in range(LEVELS)]
    encoder_heads = stated.get("enc_heads", shapes[encoder + "0.self_attn.attention_weights.weight"][0] // (12))
    points = stated.get("enc_points", POINTS)
    heads = stated.get("dec_heads", stated.get("heads", 8))
    attention = dict(embed_dims=hidden, num_heads=heads, dropout=0.0, batch_first=True)
    activation = dict(type="ReLU", inplace=True)
    return dict(
        embed_dim=shapes[predictor + "class_embed.layers.2.weight"][0],
        in_channels=[shapes[pixels + "adapter_1.weight"][1], *inputs[::-1]],
        strides=[4, 8, 16, 32],
        feat_channels=width,
        out_channels=mask_width,
        num_queries=shapes[predictor + "query_feat.weight"][0],
        num_transformer_feat_level=LEVELS,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=LEVELS,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=_count(shapes, re.escape(encoder) + r"(\d+)\."),
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=width,
                        num_heads=encoder_heads,
                        num_levels=LEVELS,
                        num_points=points,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(
                        embed_dims=width,
                        feedforward_channels=shapes[encoder + "0.linear1.weight"][0],
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=activation,
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=width // 2, normalize=True),
        ),
        positional_encoding=dict(num_feats=hidden // 2, normalize=True),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=_count(shapes, re.escape(predictor) + r"transformer_ffn_layers\.(\d+)\."),
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(
                    embed_dims=hidden,
                    feedforward_channels=shapes[predictor + "transformer_ffn_layers.0.linear1.weight"][0],
                    num_fcs=2,
                    ffn_drop=0.0,
                    act_cfg=activation,
                ),
            ),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(type="mmdet.DiceLoss", use_sigmoid=True, activate=True, naive_dice=True, eps=1.0),
    )


def convnext_clip(shapes: dict[str, tuple[int, ...]], prefix: str = "visual.", stated: dict | None = None) -> dict:
    """open_clip's config of a ConvNeXt CLIP in the sizes of its weights; its trunk is made known to timm."""
    trunk = prefix + "trunk."
    dims = tuple(shapes[f"{trunk}stages.{stage}.blocks.0.conv_dw.weight"][0] for stage in range(4))
    depths = tuple(_count(shapes, re.escape(f"{trunk}stages.{stage}.blocks.") + r"(\d+)\.") for stage in range(4))
    name = "official_convnext_" + "_".join(map(str, (*depths, *dims)))
    if not timm.is_model(name):
        known = inspect.signature(ConvNeXt.__init__).parameters

        def build(pretrained=False, **kwargs):
            kwargs = {key: value for key, value in kwargs.items() if key in known}
            model = ConvNeXt(depths=depths, dims=dims, **kwargs)
            model.pretrained_cfg = model.default_cfg = dict(input_size=(3, 320, 320))
            return model

        build.__name__, build.__module__ = name, "timm.models.convnext"
        register_model(build)
    mlp = f"{prefix}head.mlp.fc2.weight" in shapes
    head = shapes[f"{prefix}head.mlp.fc2.weight" if mlp else f"{prefix}head.proj.weight"]
    return dict(
        embed_dim=head[0],
        vision_cfg=dict(
            timm_model_name=name,
            timm_model_pretrained=False,
            timm_pool="",
            timm_proj="mlp" if mlp else "linear",
            timm_drop=0.0,
            timm_drop_path=0.0,
            image_size=320,
        ),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )


def _count(shapes: dict, pattern: str) -> int:
    return len({match.group(1) for key in shapes if (match := re.match(pattern, key))})
