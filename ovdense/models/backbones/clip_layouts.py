"""CLIP weights of other code by the names that open_clip uses: transformers, FG-CLIP, Long-CLIP, bare image towers.

Shapes: L positions of the text table, D channels of a tower, C channels of the text space.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

KEPT_POSITIONS = 20  # Long-CLIP and FG-CLIP leave these as CLIP learned them; the rest of the longer table is trained
PATCHES = "vision_model.embeddings.patch_embedding.weight"
LAYER = re.compile(r"^(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$")
PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
SINGLE = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    PATCHES: "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "text.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
    "text_model.final_layer_norm.weight": "text.ln_final.weight",
    "text_model.final_layer_norm.bias": "text.ln_final.bias",
    "logit_scale": "logit_scale",
}
TRANSPOSED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text.text_projection"}
LONG_TABLES = (
    "text_model.embeddings.position_embedding_ori.weight",
    "text_model.embeddings.position_embedding_res.weight",
)
LONG_PROJECTION = "text_filip_projection.weight"
UNUSED = re.compile(r"(position_ids|logit_scale_(finegraind|hardneg)|embeddings\.mask[12])$")


def is_transformers_layout(tensors: Mapping[str, Tensor]) -> bool:
    """True for a state dict of ``CLIPModel`` of the package transformers, or of FG-CLIP, which grew from it."""
    return PATCHES in tensors


def from_transformers_layout(tensors: Mapping[str, Tensor], *, long_text: bool = False) -> dict[str, Tensor]:
    """Names of transformers' ``CLIPModel`` to open_clip's ``CustomTextCLIP``; query, key and value are joined.

    Args:
        long_text: of FG-CLIP's two text paths the one for long sentences (248 tokens, its own projection) instead of
            the one for names.

    Raises:
        ValueError: a tensor that neither CLIP nor FG-CLIP has, or long sentences of a model that has no path for them.
    """
    tensors = dict(tensors)
    long_tables = [tensors.pop(name, None) for name in LONG_TABLES]
    long_projection = tensors.pop(LONG_PROJECTION, None)
    if long_text:
        if long_projection is None or None in long_tables:
            raise ValueError(f"only FG-CLIP has a path for long sentences ({LONG_PROJECTION}); this file has none")
        original, trained = long_tables
        table = torch.cat([original[:KEPT_POSITIONS], trained[KEPT_POSITIONS:]])
        tensors["text_model.embeddings.position_embedding.weight"] = table
        tensors["text_projection.weight"] = long_projection
    renamed, packed = {}, {}
    for name, tensor in tensors.items():
        if name in SINGLE:
            renamed[SINGLE[name]] = tensor
        elif name in TRANSPOSED:
            renamed[TRANSPOSED[name]] = tensor.t().contiguous()
        elif (match := LAYER.match(name)) and match[3] in PARTS:
            renamed[f"{_block(match)}.{PARTS[match[3]]}.{match[4]}"] = tensor
        elif match and match[3] in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
            packed.setdefault(f"{_block(match)}.attn.in_proj_{match[4]}", {})[match[3][10]] = tensor
        elif not UNUSED.search(name):
            raise ValueError(f"no tensor of transformers' CLIPModel or of FG-CLIP is called {name!r}")
    for name, parts in packed.items():
        if set(parts) != set("qkv"):
            raise ValueError(f"{name} needs query, key and value, got {sorted(parts)}")
        renamed[name] = torch.cat([parts[part] for part in "qkv"])
    return renamed


def _block(match: re.Match) -> str:
    return f"{'visual' if match[1] == 'vision' else 'text'}.transformer.resblocks.{match[2]}"


def with_long_table(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Long-CLIP's two text tables as the one that its code adds up: 20 rows of the first, the rest of the second."""
    tensors = dict(tensors)
    for prefix in ("", "text."):
        trained = tensors.pop(f"{prefix}positional_embedding_res", None)
        if trained is not None:
            name = f"{prefix}positional_embedding"
            tensors[name] = torch.cat([tensors[name][:KEPT_POSITIONS], trained[KEPT_POSITIONS:]])
    return tensors


def image_tower_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of OpenAI's image tower as ``visual.*``, whatever stands before their names.

    Raises:
        ValueError: no such tower, or several.
    """
    if is_transformers_layout(tensors):
        tensors = from_transformers_layout(tensors)
    ending = "conv1.weight"
    found = [
        name.removesuffix(ending)
        for name, tensor in tensors.items()
        if name.endswith(ending) and tensor.ndim == 4 and f"{name.removesuffix(ending)}class_embedding" in tensors
    ]
    if len(found) != 1:
        raise ValueError(f"the file must hold one ViT of OpenAI's layout (conv1, class_embedding), got {len(found)}")
    (prefix,) = found
    return {f"visual.{name.removeprefix(prefix)}": tensors[name] for name in tensors if name.startswith(prefix)}
