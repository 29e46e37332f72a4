"""Cases whose weights hold two models: one file each, and the configs of a tiny DINO and of tiny CLIPs."""

from __future__ import annotations

import math
import re
import tempfile
from functools import lru_cache
from pathlib import Path

import timm
from official_cases import Case
from safetensors.torch import save_file
from timm.models.eva import Eva

from ovdense.models.backbones.checkpoint import read_state_dict


@lru_cache
def split_weights(path: Path, *prefixes: str) -> dict[str, Path]:
    """A weight file taken apart by the names' first parts: one file each in a temporary folder, ``visual`` the rest."""
    folder = Path(tempfile.mkdtemp(prefix="official-weights-"))
    parts: dict[str, dict] = {}
    for key, tensor in read_state_dict(path).items():
        name, _, rest = key.partition(".")
        parts.setdefault(name if name in prefixes else "visual", {})[rest if name in prefixes else key] = tensor
    for name, tensors in parts.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in parts}


def dino_config(case: Case, weights: Path, prefix: str = "dino") -> dict:
    """Config of a DINO (v1) from the shapes of its weights; heads from the meta file, else of 16 channels."""
    tensors, stated = read_state_dict(weights), case.meta.get(prefix, {})
    width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
    side = math.isqrt(tensors["pos_embed"].shape[1] - 1)
    blocks = {int(found.group(1)) for key in tensors if (found := re.match(r"blocks\.(\d+)\.", key))}
    return dict(
        type="DINOBackbone",
        model="vit_small_patch8_224.dino",
        pretrained=str(weights),
        model_options=dict(
            img_size=side * patch,
            patch_size=patch,
            embed_dim=width,
            depth=len(blocks),
            num_heads=int(stated.get("heads", width // 16)),
        ),
    )


def clip_config(case: Case, weights: Path) -> dict:
    """open_clip's config of a tiny ViT or EVA, from the shapes of its weights and ``vision_cfg`` of the meta file."""
    tensors, stated = read_state_dict(weights), case.meta.get("vision_cfg", {})
    eva = "visual.pos_embed" in tensors
    conv = tensors["visual.patch_embed.proj.weight" if eva else "visual.conv1.weight"]
    table = tensors["visual.pos_embed"][0] if eva else tensors["visual.positional_embedding"]
    side, (width, _, patch, _) = math.isqrt(len(table) - 1), conv.shape
    head_width = int(stated.get("head_width", 16))
    pattern = r"visual\..*blocks\.(\d+)\."
    layers = len({int(found.group(1)) for key in tensors if (found := re.match(pattern, key))})
    common = dict(text_cfg=dict(context_length=8, vocab_size=64, width=16, heads=2, layers=1))
    if not eva:
        hidden = len(tensors["visual.transformer.resblocks.0.mlp.c_fc.weight"])
        vision = dict(layers=layers, width=width, head_width=head_width, patch_size=patch, mlp_ratio=hidden / width)
        return dict(
            embed_dim=tensors["visual.proj"].shape[1],
            quick_gelu=bool(case.meta.get("quick_gelu", True)),
            vision_cfg=dict(vision, image_size=side * patch),
            **common,
        )
    hidden = len(tensors["visual.blocks.0.mlp.w1.weight"])
    options = dict(
        img_size=side * patch,
        patch_size=patch,
        embed_dim=width,
        depth=layers,
        num_heads=width // head_width,
        qkv_fused=False,
        mlp_ratio=(hidden + 0.5) / width,
        swiglu_mlp=True,
        scale_mlp="visual.blocks.0.mlp.ffn_ln.weight" in tensors,
        scale_attn_inner="visual.blocks.0.attn.inner_attn_ln.weight" in tensors,
        use_rot_pos_emb=bool(stated.get("rope", True)),
        ref_feat_shape=(int(stated.get("pt_hw_seq_len", side)),) * 2,
    )
    timm_model = dict(timm_model_name=register_eva(tuple(sorted(options.items()))), timm_pool="token", timm_proj=None)
    return dict(
        embed_dim=len(tensors["visual.head.weight"]), vision_cfg=dict(timm_model, image_size=side * patch), **common
    )


@lru_cache
def register_eva(options: tuple) -> str:
    """The timm name of an Eva of these sizes."""
    name = f"eva_official_{abs(hash(options))}"

    def create(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **kwargs):
        model = Eva(**{**dict(options), "global_pool": "token", **kwargs})
        model.pretrained_cfg = {}
        return model

    create.__name__, create.__module__ = name, timm.models.eva.__name__
    timm.models.register_model(create)
    return name
