"""Full-size FC-CLIP, MAFT+ and Mask-Adapter build without memory, and official checkpoints of their size fit them.

The official names and shapes are written out here, not derived from the converter's rules; tensors have no storage.
"""

from functools import cache
from pathlib import Path

import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.mask_checkpoints import LAYOUTS, convert_checkpoint
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2] / "configs"
CLIP = "backbone.clip_model."
# config, layout, channels of the text space
CASES = {
    "fc-clip-l": ("fcclip/fc-clip_convnext-l_coco-133-to-ade20k-150-800.py", "fc-clip", 768),
    "fc-clip-rn50": ("fcclip/fc-clip_rn50_coco-133-to-ade20k-150-800.py", "fc-clip", 1024),
    "maft-plus-l": ("maftp/maft-plus_convnext-l_coco-stuff-171-to-ade20k-150-800.py", "maft-plus", 768),
    "mask-adapter-l": ("mask_adapter/mask-adapter_convnext-l_coco-133-to-ade20k-150-800.py", "mask-adapter", 768),
}
pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


@cache
def build(path):
    config = Config.fromfile(ROOT / path).model
    config.update(text_encoder=None, vocabulary=None, trained_on=None)
    config.backbone.pretrained = None
    with DefaultScope.overwrite_default_scope("ovdense"), torch.device("meta"):
        return MODELS.build(config), config


@cache
def stock_clip(name):
    """State dict of open_clip's whole model, named as below ``backbone.clip_model.``"""
    with torch.device("meta"):
        return open_clip.model.CLIP(**open_clip.get_model_config(name)).state_dict()


def linear(name, out, into, *kernel):
    return {f"{name}.weight": (out, into, *kernel), f"{name}.bias": (out,)}


def norm(name, width=256):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def attention(name, width=256):
    joint = {f"{name}.in_proj_weight": (3 * width, width), f"{name}.in_proj_bias": (3 * width,)}
    return joint | linear(f"{name}.out_proj", width, width)


def pixel_decoder(channels):
    name = "sem_seg_head.pixel_decoder."
    shapes = {f"{name}transformer.level_embed": (3, 256)}
    for level, width in enumerate(channels[:0:-1]):
        shapes |= linear(f"{name}input_proj.{level}.0", 256, width, 1, 1) | norm(f"{name}input_proj.{level}.1")
    for layer in range(6):
        own = f"{name}transformer.encoder.layers.{layer}."
        for part, out in dict(sampling_offsets=192, attention_weights=96, value_proj=256, output_proj=256).items():
            shapes |= linear(f"{own}self_attn.{part}", out, 256)
        shapes |= linear(f"{own}linear1", 1024, 256) | linear(f"{own}linear2", 256, 1024)
        shapes |= norm(f"{own}norm1") | norm(f"{own}norm2")
    shapes |= {f"{name}adapter_1.weight": (256, channels[0], 1, 1), f"{name}layer_1.weight": (256, 256, 3, 3)}
    shapes |= norm(f"{name}adapter_1.norm") | norm(f"{name}layer_1.norm")
    return shapes | linear(f"{name}mask_features", 256, 256, 1, 1)


def predictor(queries, embed_dim):
    name = "sem_seg_head.predictor."
    shapes = {f"{name}query_{kind}.weight": (queries, 256) for kind in ("feat", "embed")}
    shapes |= {f"{name}level_embed.weight": (3, 256), f"{name}logit_scale": ()} | norm(f"{name}decoder_norm")
    for layer in range(9):
        for kind, part in (("cross", "multihead_attn"), ("self", "self_attn")):
            own = f"{name}transformer_{kind}_attention_layers.{layer}."
            shapes |= attention(own + part) | norm(f"{own}norm")
        own = f"{name}transformer_ffn_layers.{layer}."
        shapes |= linear(f"{own}linear1", 2048, 256) | linear(f"{own}linear2", 256, 2048) | norm(f"{own}norm")
    for index in range(3):
        shapes |= linear(f"{name}mask_embed.layers.{index}", 256, 256)
        shapes |= linear(f"{name}class_embed.layers.{index}", embed_dim if index == 2 else 256, 256)
    return shapes | norm(f"{name}_mask_pooling_proj.0") | linear(f"{name}_mask_pooling_proj.1", 256, 256)


def additions(layout, expected):
    """What MAFT+ and Mask-Adapter add: official names, with the shapes that our module of the same part has."""
    parts = {}
    if layout == "maft-plus":
        names = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
        parts = {f"cdt.cross_atten.multihead_attn.{leaf}": f"transfer.attention.{leaf}" for leaf in names}
        for official, ours in (("norm", "norm"), ("MLP", "mlp")):
            parts |= {f"cdt.cross_atten.{official}.{leaf}": f"transfer.{ours}.{leaf}" for leaf in ("weight", "bias")}
    if layout == "mask-adapter":
        blocks = {f"cnext{index + 1}.": f"blocks.{index}." for index in range(3)}
        inner = {"dwconv": "depthwise", "norm": "norm", "pwconv1": "mlp.0", "pwconv2": "mlp.2"}
        modules = {block + part: blocks[block] + inner[part] for block in blocks for part in inner}
        modules |= {"fuse": "fuse", "norm": "norm", "final": "maps"}
        modules |= {f"mask_downscaling.{index}": f"mask_embed.{index}" for index in (0, 1, 3, 4, 6)}
        parts = {
            f"mask_adapter.{official}.{leaf}": f"region_classifier.adapter.{ours}.{leaf}"
            for official, ours in modules.items()
            for leaf in ("weight", "bias")
        }
        parts |= {f"mask_adapter.{block}gamma": f"region_classifier.adapter.{blocks[block]}gamma" for block in blocks}
    return {official: tuple(expected[ours].shape) for official, ours in parts.items()}


@pytest.fixture(params=CASES)
def case(request):
    """The model, its layout, the official state dict with its text tower, and the stock CLIP."""
    path, layout, embed_dim = CASES[request.param]
    model, config = build(path)
    shapes = pixel_decoder(config.mask_head.in_channels) | predictor(config.mask_head.num_queries, embed_dim)
    shapes |= {"void_embedding.weight": (1, embed_dim), "criterion.empty_weight": (134,)}
    shapes |= additions(layout, model.state_dict())
    official = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    clip = stock_clip(config.backbone.model)
    official |= {CLIP + name: value for name, value in clip.items()}
    if layout == "maft-plus":
        official |= {f"backbone_t.clip_model.{name}": value for name, value in clip.items()}
    return model, LAYOUTS[layout], official, clip


def convert(model, layout, tensors, clip=None):
    return convert_checkpoint(tensors, model, layout.rules, clip=clip, fill_visual=layout.fill_visual)


def is_text(name):
    own = name.removeprefix(CLIP)
    return name.startswith(CLIP) and own != "logit_scale" and not own.startswith("visual.")


def test_a_full_checkpoint_fits_and_every_key_is_in_the_report(case):
    model, layout, official, clip = case
    assert all(value.is_meta for value in model.state_dict().values())
    found = convert(model, layout, official)
    assert [line.official for line in found.report] == list(official)
    assert {name: value.shape for name, value in found.state.items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert {name: value.shape for name, value in found.clip.items()} == {
        name: value.shape for name, value in clip.items()
    }
    left_out = {line.official for line in found.report if not line.ours}
    assert left_out == {name for name in official if name.startswith(("criterion.", "backbone_t."))}


def test_a_missing_text_tower_comes_from_the_stock_clip_or_the_remedy_is_named(case):
    model, layout, official, clip = case
    text = [name.removeprefix(CLIP) for name in official if is_text(name)]
    short = {name: value for name, value in official.items() if not is_text(name)}
    found = convert(model, layout, short, clip)
    assert sorted(line.ours for line in found.report if not line.official) == sorted(f"clip:{name}" for name in text)
    assert set(found.clip) == set(clip)
    with pytest.raises(ValueError, match=r"4 missing of the text tower: token_embedding.*name it \(--clip\)"):
        convert(model, layout, short)


def test_a_key_that_is_unknown_missing_or_of_another_shape_ends_the_conversion(case):
    model, layout, official, _ = case
    with pytest.raises(ValueError, match=r"1 tensor.* no place here: sem_seg_head\.predictor\.other"):
        convert(model, layout, {**official, "sem_seg_head.predictor.other": torch.empty(1, device="meta")})
    query = "sem_seg_head.predictor.query_feat.weight"
    with pytest.raises(ValueError, match=r"1 missing: mask_head\.query_feat\.weight"):
        convert(model, layout, {name: value for name, value in official.items() if name != query})
    with pytest.raises(ValueError, match=r"1 of another shape: mask_head\.query_feat\.weight \(7, 256\) instead of"):
        convert(model, layout, {**official, query: torch.empty(7, 256, device="meta")})
