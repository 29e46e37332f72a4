"""DINOBackbone: DINO, DINOv2 and DINOv3 (and any other timm VisionTransformer or Eva) as patch features without text.

Shapes: B images, T = P + h * w tokens (class token, then registers), D channels.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import timm
import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.models.backbones.base import to_map
from ovdense.models.backbones.blocks import TimmBlock
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.backbones.hub import cached_tag, hub_endpoint, offline_message, require_connection
from ovdense.models.backbones.token_trunks import allow_any_size, embed_tokens, is_token_trunk, rotary_embedding
from ovdense.models.backbones.transformer import LastBlock, TransformerBackbone
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "models"


@MODELS.register_module()
class DINOBackbone(TransformerBackbone):
    """(B, 3, H, W) -> DenseFeatures without ``dense``; ``maps`` holds the normed patch tokens (B, D, h, w).

    Args:
        model: timm name, for example ``vit_small_patch8_224.dino``, ``vit_small_patch14_reg4_dinov2``,
            ``vit_small_patch16_dinov3``, or the embedded model for drawn scenes, ``scenes_dino``.
        pretrained: True for timm's weights (hub), a local file or state dict (timm's or the original layout), or False
            for random. The embedded model brings its weights unless a file is given.
        input_size: pixels of the square that every input is stretched to (Talk2DINO: 448), a multiple of the patch;
            ``cells`` for the next whole patches of the input (dino.txt), None for the input as it is. The grid still
            covers the input.
        antialias: of that stretching where it makes the input smaller; torchvision up to 0.16 did without.
        interpolation: of that stretching, ``bilinear`` or ``bicubic``.
        attention: last-block variant, see ``TransformerBackbone``.
        position: None = as the original: ``gem`` for models with registers, ``sclip`` for the others.
        model_options: keyword arguments of ``timm.create_model`` (``depth``, ``embed_dim`` for tiny models in tests).
        **kwargs: see ``TransformerBackbone``. With ``out_indices`` the maps are those blocks' tokens, each through
            the final norm. ``with_global`` gives the normed class token.
    """

    space = None
    captures = tuple(
        name for name in TransformerBackbone.captures if name not in ("dense_cls", "vanilla", "vanilla_cls")
    )

    def __init__(
        self,
        *,
        model: str,
        pretrained: bool | str | Path | Mapping[str, Tensor] = False,
        attention: str = "vanilla",
        position: str | None = None,
        input_size: int | str | None = None,
        antialias: bool = True,
        interpolation: str = "bilinear",
        model_options: dict | None = None,
        **kwargs,
    ) -> None:
        trunk = create_trunk(model, pretrained, model_options or {})
        position = position or ("gem" if trunk.num_prefix_tokens > 1 else "sclip")
        super().__init__(attention=attention, position=position, **kwargs)
        self.name, self.embed_dim = model, trunk.embed_dim
        self.brings_weights = bool(pretrained) or embedded_trunk(model) is not None  # no need to save what is frozen
        self.image_mean = tuple(trunk.pretrained_cfg["mean"])
        self.image_std = tuple(trunk.pretrained_cfg["std"])
        self.stride, self.prefix = trunk.patch_embed.feat_ratio(), trunk.num_prefix_tokens
        sized = isinstance(input_size, int) and input_size > 0 and input_size % self.stride == 0
        if not (sized or input_size in (None, "cells")):
            raise ValueError(
                f"input_size must be 'cells', None or a multiple of the patch of {self.stride} pixels, got "
                f"{input_size!r}"
            )
        if interpolation not in ("bilinear", "bicubic"):
            raise ValueError(f"interpolation must be bilinear or bicubic, got {interpolation!r}")
        self.input_size, self.antialias, self.interpolation = input_size, antialias, interpolation
        allow_any_size(trunk)
        self.trunk = trunk
        self._finish_init()

    def forward(self, images: Tensor, **options) -> DenseFeatures:
        """See ``DenseBackbone.forward``; with ``input_size`` of the stretched images."""
        if self.input_size is None or images.ndim != 4 or 0 in images.shape:
            return super().forward(images, **options)
        size = tuple(
            -(-side // self.stride) * self.stride if self.input_size == "cells" else self.input_size
            for side in images.shape[-2:]
        )
        stretched = images.to(self.dtype)
        if size != tuple(images.shape[-2:]):
            stretched = F.interpolate(stretched, size=size, mode=self.interpolation, antialias=self.antialias)
        return replace(super().forward(stretched, **options), image_size=tuple(images.shape[-2:]))

    def blocks(self) -> nn.Sequential:
        return self.trunk.blocks

    def rope(self, grid: tuple[int, int]) -> Tensor | None:
        return rotary_embedding(self.trunk, grid)

    def parts(self, block: nn.Module) -> TimmBlock:
        return TimmBlock(block)

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int], Tensor | None]:
        return embed_tokens(self.trunk, images, self.position)

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.trunk.norm(tokens)

    def to_text_space(self, tokens: Tensor) -> None:
        return None

    def pool(self, tokens: Tensor) -> Tensor:
        return self.final_norm(tokens)[:, 0]

    def collect_maps(self, maps: dict[int, Tensor], last: LastBlock) -> tuple[Tensor, ...]:
        if not self.out_indices:
            return (to_map(self.final_norm(last.stream[:, self.prefix :]), last.tokens.grid),)
        chosen = (maps[index] for index in self.out_indices)
        return tuple(self.final_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for x in chosen)


def create_trunk(
    model: str,
    pretrained: bool | str | Path | Mapping[str, Tensor],
    options: dict,
    kinds: tuple[type[nn.Module], ...] = (),
) -> nn.Module:
    """A timm trunk of tokens, or of one of the classes ``kinds``, without classifier, with the weights asked for.

    Raises:
        ValueError: no such timm model, or one of another kind, or weights that do not fit.
        ConnectionError: timm's weights are not on this machine and no hub is in reach.
    """
    embedded = embedded_trunk(model)
    if embedded is not None:
        architecture, settings, weights = embedded
        weights = pretrained if isinstance(pretrained, (str, Path, Mapping)) else weights
        return create_trunk(architecture, weights, {**settings, **options}, kinds)
    if not timm.is_model(model):
        near = timm.list_models(f"*{model.split('.')[0].split('_')[-1]}*")[:8]
        raise ValueError(f"model must be a name of timm (near: {', '.join(near) or 'none'}), got {model!r}")
    if pretrained is True:
        hub_id = timm.models.get_pretrained_cfg(model).hf_hub_id
        if not hub_id:
            raise ValueError(f"timm has no weights for {model}; give a local file")
        if cached_tag({"hf_hub": hub_id + "/model.safetensors"}) is None:
            require_connection(hub_endpoint(), f"pretrained=True of {model}")
    elif pretrained is False or pretrained is None:
        warnings.warn(f"no pretrained weights for {model}: its weights are random", stacklevel=3)
    try:
        trunk = timm.create_model(model, pretrained=pretrained is True, num_classes=0, **options)
    except OSError as error:
        raise ConnectionError(offline_message(f"pretrained=True of {model}", hub_endpoint(), error)) from error
    if kinds and not isinstance(trunk, kinds):
        raise ValueError(f"needs a timm {' or '.join(kind.__name__ for kind in kinds)}, got {model!r}")
    if not kinds and not is_token_trunk(trunk):
        raise ValueError(f"DINOBackbone runs timm's VisionTransformer and Eva, got {type(trunk).__name__} for {model}")
    if isinstance(pretrained, (str, Path, Mapping)):
        load_file(trunk, pretrained, model)
    return trunk.eval()


def embedded_trunk(model: str) -> tuple[str, dict, Path] | None:
    """timm architecture, its keyword arguments and the weight file of an embedded trunk; None for other names."""
    path = ASSETS / model / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "architecture" not in config:
        return None
    return config["architecture"], config["model_args"], path.with_name("model.safetensors")


def load_file(trunk: nn.Module, path: str | Path | Mapping[str, Tensor], model: str) -> None:
    """A local weight file or its tensors, in timm's layout or the original one, which timm converts."""
    tensors = dict(path) if isinstance(path, Mapping) else read_state_dict(path)
    if set(tensors) != set(trunk.state_dict()):
        convert = import_module(type(trunk).__module__).checkpoint_filter_fn
        tensors = convert(tensors, trunk)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    load_strictly(trunk, tensors, f"{'state dict' if isinstance(path, Mapping) else path} for {model}")
