"""CLIP models by name: open_clip's configs and tags, embedded models, local files, config dicts.

``load_clip(model, pretrained)`` resolves names and weights, and builds a tower only when it is asked for, so that an
image backbone never holds a text tower and the other way round.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ovdense.models.backbones.checkpoint import (
    file_digest,
    is_mapped,
    load_strictly,
    plain_state_dict,
    read_state_dict,
    tensors_digest,
)
from ovdense.models.backbones.clip_layouts import from_transformers_layout, is_transformers_layout, with_long_table
from ovdense.models.backbones.eva_layout import from_eva_layout, is_eva_layout
from ovdense.models.backbones.hub import fetch_hub_config, fetch_tag

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "models"
CACHED_CHECKPOINTS = 2
Pretrained = str | Path | Mapping | None
TEXT_PREFIXES = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")
IGNORED_KEYS = ("input_resolution", "context_length", "vocab_size", "text.transformer.embeddings.position_ids")
MASK_EMBEDDING = "visual.mask_embedding"  # OVSeg's mask prompts, which CLIPViT reads itself
ALPHA_CONV = "visual.conv1_alpha.weight"  # Alpha-CLIP's convolution of the mask, likewise

logger = logging.getLogger(__name__)


def embedded_models() -> tuple[str, ...]:
    """Names of the image-text models that the package carries."""
    configs = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in ASSETS.glob("*/config.json")}
    return tuple(sorted(name for name, config in configs.items() if "vision_cfg" in config))


@dataclass
class LoadedCLIP:
    """A CLIP model whose towers are built on first use.

    Args:
        name: model name.
        config: open_clip's model config (``embed_dim``, ``vision_cfg``, ``text_cfg``, ...).
        tensors: state dict, names as in open_clip's ``CustomTextCLIP`` (``visual.*``, ``text.*``); None = random.
        source: where the weights came from, for messages.
        digest: what identifies the weights; None for random ones.
        image_mean: per RGB channel, on a 0..1 scale.
        image_std: per RGB channel, on a 0..1 scale.
        text_digest: ``digest`` of the weights whose text tower goes with these, where only the image tower was changed
            (CLIPSelf); a safetensors file says it in its metadata.
    """

    name: str
    config: dict[str, Any]
    tensors: dict[str, Tensor] | None = field(repr=False)
    source: str
    digest: str | None
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    text_digest: str | None = None

    @property
    def space(self) -> str:
        """Id of the text space, the same for both towers of the same weights."""
        return f"{self.name}/{self.text_digest or self.digest or 'random'}"

    @property
    def embed_dim(self) -> int:
        return self.config["embed_dim"]

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) that the vision tower was trained at."""
        size = self.config["vision_cfg"].get("image_size", 224)
        return (size, size) if isinstance(size, int) else tuple(size)

    @cached_property
    def visual(self) -> nn.Module:
        """The image tower, in evaluation mode, float32."""
        from open_clip.model import _build_vision_tower

        vision_cfg = dict(self.config["vision_cfg"], timm_model_pretrained=False)
        # Native towers keep all they hold in their state dict, so that random numbers need not be drawn first.
        empty = self.tensors is not None and not vision_cfg.get("timm_model_name")
        with torch.device("meta") if empty else nullcontext():
            tower = _build_vision_tower(self.embed_dim, vision_cfg, self.config.get("quick_gelu", False))
        return self._fill(tower.to_empty(device="cpu") if empty else tower, "visual.")

    @cached_property
    def text(self) -> nn.Module:
        """The text tower, in evaluation mode, float32: token ids (N, L) -> embeddings (N, C)."""
        from open_clip.model import _build_text_tower

        if not self.config.get("text_cfg"):
            raise ValueError(f"{self.name} has no text tower of open_clip; choose its own text encoder by name")
        text_cfg = dict(self.config["text_cfg"], hf_model_pretrained=False)
        tower = _build_text_tower(self.embed_dim, text_cfg, self.config.get("quick_gelu", False))
        return self._fill(tower, "text.")

    @cached_property
    def tokenizer(self) -> Callable[[list[str]], Tensor]:
        """Texts to token ids (N, L)."""
        import open_clip

        text_cfg = self.config.get("text_cfg") or {}
        if self.name in open_clip.list_models() or self.name.startswith(("hf-hub:", "local-dir:")):
            return open_clip.get_tokenizer(self.name, context_length=text_cfg.get("context_length"))
        if text_cfg.get("hf_tokenizer_name"):
            return open_clip.tokenizer.HFTokenizer(text_cfg["hf_tokenizer_name"])
        return open_clip.SimpleTokenizer(context_length=text_cfg.get("context_length", 77))

    @property
    def logit_scale(self) -> float:
        """The trained factor of the cosines (not its logarithm); 1 / 0.07 for random weights."""
        if self.tensors is not None and "logit_scale" in self.tensors:
            return float(self.tensors["logit_scale"].float().exp().reshape(-1)[0])
        return math.exp(self.config.get("init_logit_scale", math.log(1 / 0.07)))

    def _fill(self, tower: nn.Module, prefix: str) -> nn.Module:
        if self.tensors is not None:
            fit_weights(tower, self.tensors, prefix, name=self.name, source=self.source)
        return tower.eval()


def load_clip(model: str | dict, pretrained: Pretrained = None, *, allow_jit: bool = False) -> LoadedCLIP:
    """Finds a CLIP model and its weights; the towers are built when ``.visual`` or ``.text`` is read.

    Args:
        model: a name of open_clip (``ViT-B-16``), ``hf-hub:org/name``, ``local-dir:folder``, an embedded model
            (``scenes``), or a config dict ``dict(embed_dim=..., vision_cfg=..., text_cfg=...)``.
        pretrained: a tag of open_clip (``openai``), a local file (.safetensors, .pt, .pth), a state dict, or None:
            embedded and hub models bring their weights, all others are random (with a warning).
        allow_jit: accept TorchScript archives, which can run code when they are loaded.

    Raises:
        ValueError: unknown model or tag.
        FileNotFoundError: no such file.
        ConnectionError: the tag is not on this machine and no model hub is in reach.
    """
    name, config, preprocess, default = resolve_model(model)
    pretrained = default if pretrained is None else pretrained
    if pretrained is None:
        warnings.warn(f"no pretrained weights for {name}: its weights are random", stacklevel=2)
        return LoadedCLIP(name, config, None, "random weights", None, *image_statistics(name, preprocess))
    if isinstance(pretrained, Mapping):
        tensors, source = custom_text_layout(plain_state_dict(pretrained)), "the state dict"
        adopt_context(config, tensors)
        return LoadedCLIP(name, config, tensors, source, tensors_digest(tensors), *image_statistics(name, preprocess))
    path, tag_cfg = locate(name, str(pretrained))
    if tag_cfg is None:
        digest = file_digest(path)
    else:  # the tag knows which activation and statistics its weights were trained with
        digest = str(pretrained)
        config["quick_gelu"] = tag_cfg.get("quick_gelu", config.get("quick_gelu", False))
        preprocess = tag_cfg
    tensors = cached_tensors(path, allow_jit)
    if tag_cfg is None:
        adopt_context(config, tensors)
    statistics = image_statistics(name, preprocess)
    return LoadedCLIP(name, config, tensors, str(path), digest, *statistics, stated_text_digest(path))


def resolve_model(model: str | dict) -> tuple[str, dict, dict, Path | None]:
    """(name, config, preprocessing, own weights) of whatever names a model; reads no weights."""
    if isinstance(model, Mapping):
        config = deepcopy(dict(model))
        identity = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:8]
        name = config.pop("name", f"custom-{identity}")
        return name, check_config(config, name), config.pop("preprocess_cfg", {}), None
    if (ASSETS / model / "config.json").is_file():
        return resolve_folder(model, ASSETS / model, "config.json")
    if model.startswith("local-dir:"):
        return resolve_folder(model, Path(model.removeprefix("local-dir:")), "open_clip_config.json")
    if model.startswith("hf-hub:"):
        config, weights = fetch_hub_config(model.removeprefix("hf-hub:"))
        return model, check_config(config.get("model_cfg", config), model), config.get("preprocess_cfg", {}), weights
    import open_clip

    name = model.replace("/", "-")
    config = open_clip.get_model_config(name)
    if config is None:
        known = [*embedded_models(), *open_clip.list_models()]
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.5)
        raise ValueError(
            f"model must be a name of open_clip, an embedded model ({', '.join(embedded_models())}), hf-hub:org/name "
            f"or local-dir:folder, got {model!r}" + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    return name, config, {}, None


def resolve_folder(name: str, folder: Path, file_name: str) -> tuple[str, dict, dict, Path | None]:
    """A folder with a model config and weights."""
    if not (folder / file_name).is_file():
        raise FileNotFoundError(f"a model folder holds {file_name} and its weights, got {folder}")
    config = json.loads((folder / file_name).read_text(encoding="utf-8"))
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.pt")) or sorted(folder.glob("*.bin"))
    preprocess = config.pop("preprocess_cfg", {})
    return name, check_config(config.get("model_cfg", config), name), preprocess, weights[0] if weights else None


def check_config(config: dict, name: str) -> dict:
    if "embed_dim" not in config or "vision_cfg" not in config:
        raise ValueError(f"the config of {name} needs embed_dim and vision_cfg, got {sorted(config)}")
    return config


def locate(name: str, pretrained: str) -> tuple[Path, dict | None]:
    """The weight file of a tag or path, and the tag's own settings."""
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    tag_cfg = get_pretrained_cfg(name, pretrained)
    if tag_cfg:
        return fetch_tag(name, pretrained, tag_cfg), tag_cfg
    path = Path(pretrained).expanduser()
    if path.is_file():
        return path, None
    tags = open_clip.list_pretrained_tags_by_model(name)
    looks_like_file = path.suffix in (".pt", ".pth", ".bin", ".safetensors") or len(path.parts) > 1
    error = FileNotFoundError if looks_like_file else ValueError
    raise error(f"pretrained must be a local file or one of the tags of {name} ({', '.join(tags)}), got {pretrained!r}")


def image_statistics(name: str, preprocess: Mapping) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, std) of the model's images; a local file under a known name takes what all tags of that name agree on."""
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    mean, std = preprocess.get("mean"), preprocess.get("std")
    if mean is None or std is None:
        tags = [get_pretrained_cfg(name, tag) for tag in list_pretrained_tags_by_model(name)]
        agreed = {(tuple(tag["mean"]), tuple(tag["std"])) for tag in tags if tag.get("mean") and tag.get("std")}
        mean, std = agreed.pop() if len(agreed) == 1 else (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    return tuple(mean), tuple(std)


_checkpoints: dict[tuple, dict[str, Tensor]] = {}


def cached_tensors(path: Path, allow_jit: bool = False) -> dict[str, Tensor]:
    """A weight file in ``CustomTextCLIP`` layout; the last few files stay mapped, so that two towers share one read."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _checkpoints:
        tensors = custom_text_layout(read_state_dict(path, allow_jit))
        if not is_mapped(path):
            return tensors
        while len(_checkpoints) >= CACHED_CHECKPOINTS:
            _checkpoints.pop(next(iter(_checkpoints)))
        _checkpoints[key] = tensors
    return _checkpoints[key]


def stated_text_digest(path: Path) -> str | None:
    """The entry ``text_digest`` of a safetensors file's metadata."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("text_digest")


def custom_text_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's layout, whose text tower is not nested, to ``text.*``; EVA-CLIP's, transformers' (FG-CLIP's too) and
    Long-CLIP's to open_clip's; other layouts pass."""
    if is_eva_layout(tensors):
        tensors = from_eva_layout(tensors)
    elif is_transformers_layout(tensors):
        tensors = from_transformers_layout(tensors)
    tensors = with_long_table(tensors)
    if any(name.startswith("text.") for name in tensors):
        renamed = dict(tensors)
    else:
        renamed = {f"text.{name}" if name.startswith(TEXT_PREFIXES) else name: tensors[name] for name in tensors}
    return {name: tensor for name, tensor in renamed.items() if name not in IGNORED_KEYS}


def adopt_context(config: dict, tensors: Mapping[str, Tensor]) -> None:
    """Lets the text tower read as many tokens as its weights have positions, if these are more (Long-CLIP: 248)."""
    text_cfg, table = config.get("text_cfg"), tensors.get("text.positional_embedding")
    if text_cfg and table is not None and len(table) > text_cfg.get("context_length", 77):
        config["text_cfg"] = dict(text_cfg, context_length=len(table))


def fit_weights(tower: nn.Module, tensors: Mapping[str, Tensor], prefix: str, *, name: str, source: str) -> None:
    """Loads one tower from a state dict of both; every name and shape must fit.

    Raises:
        ValueError: lists what is missing, unexpected or of another shape.
    """
    from open_clip.convert import convert_state_dict
    from open_clip.model import resize_pos_embed, resize_text_pos_embed

    half = prefix.rstrip(".")
    holder = SimpleNamespace(**{half: tower})
    tensors = dict(tensors)
    if half == "visual":
        tensors = convert_state_dict(holder, tensors)
        resize_pos_embed(tensors, holder)
    elif hasattr(tower, "positional_embedding"):
        resize_text_pos_embed(tensors, holder)
    for name_of_extra in (MASK_EMBEDDING, ALPHA_CONV):
        tensors.pop(name_of_extra, None)
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    if not own:
        heads = sorted({key.split(".")[0] for key in tensors})[:8]
        raise ValueError(f"{source} has no {prefix}* weights for {name}, got {heads}")
    load_strictly(tower, own, f"{source} for the {half} tower of {name}")
