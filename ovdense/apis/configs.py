"""Finding, loading and adjusting configs, for the Python API, the command line and the tools."""

from __future__ import annotations

import difflib
import re
import warnings
from pathlib import Path

from mmengine.config import Config, ConfigDict

import ovdense
from ovdense.models.backbones.clip_backbone import backbone_class
from ovdense.models.backbones.swapping import caveat, refusal

EMBEDDED_MODELS = ("lite", "scenes")
PREFERRED = ("naclip", "maskclip", "panoptic")  # methods that are taken where none is asked for, best first


class ConfigError(ValueError):
    """A config that does not exist or cannot be used for what was asked; the message says what to do."""


def config_root() -> Path:
    """The folder of shipped configs: ``configs/`` of a clone, ``ovdense/.mim/configs`` of an installed wheel.

    Raises:
        ConfigError: neither exists.
    """
    package = Path(ovdense.__file__).parent
    for folder in (package.parent / "configs", package / ".mim" / "configs"):
        if (folder / "_base_").is_dir():
            return folder
    raise ConfigError(f"the shipped configs are missing: install ovdense again, looked beside and in {package}")


def shipped_configs() -> dict[str, Path]:
    """Name (without folder and ``.py``) -> path of every shipped config that is not a base."""
    files = sorted(config_root().glob("*/**/*.py"))
    return {file.stem: file for file in files if "_base_" not in file.relative_to(config_root()).parts}


def find_config(name: str | Path) -> Path:
    """A config by its path, by its path under ``configs/``, or by its bare name.

    Raises:
        ConfigError: nothing of that name; the message lists the nearest names.
    """
    if Path(name).is_file():
        return Path(name)
    inside = config_root() / name
    if inside.is_file():
        return inside
    shipped = shipped_configs()
    stem = Path(name).name.removesuffix(".py")
    if stem in shipped:
        return shipped[stem]
    near = difflib.get_close_matches(stem, shipped, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"the shipped ones are in {config_root()}"
    raise ConfigError(f"no config {str(name)!r}: {hint}")


def load_config(config: str | Path | Config, options: dict | None = None) -> Config:
    """A config as an object of one's own to change, with dotted ``options`` merged in."""
    if isinstance(config, Config):
        config = config.copy()
    elif isinstance(config, (str, Path)):
        config = _read_config(find_config(config))
    else:
        raise ConfigError(f"a config is a path, a name or an mmengine Config, got {type(config).__name__}")
    if options:
        config.merge_from_dict(options)
    return config


def _read_config(path: Path) -> Config:
    if path.suffix not in (".py", ".json", ".yaml", ".yml"):
        raise ConfigError(f"a config is a .py, .json, .yaml or .yml file, got {path}")
    try:
        return Config.fromfile(path)
    except (SyntaxError, NameError, KeyError, TypeError, OSError) as error:  # slips in the file, a missing base
        raise ConfigError(f"cannot read config {path}: {type(error).__name__}: {error}") from error


def use_backbone(config: Config, model: str, pretrained: str | None = None, *, check: bool = True) -> Config:
    """Puts another CLIP in place of the config's: image and text tower together, since they share one text space.

    Args:
        model: ``lite``, ``scenes``, an open_clip model name, or a name of ``backbone_names``, which brings its weights.
        pretrained: tag of open_clip or a local weights file; None for the embedded models.
        check: refuse what cannot run the config's method; False leaves that to building the model.

    Raises:
        ConfigError: the config has no CLIP backbone, its towers are two models, or the method cannot run on this one.
    """
    if pretrained is None and ":" in model:
        model, pretrained = model.split(":", 1)
    model, pretrained = named_backbone(model, pretrained)
    backbone = config.get("model", {}).get("backbone")
    if not backbone or "model" not in backbone:
        raise ConfigError(f"this config has no CLIP backbone to replace by {model!r}: its backbone is {backbone}")
    text = config.model.get("text_encoder")
    if text is not None and text.get("model") != backbone["model"]:
        raise ConfigError(
            f"the towers of this config are two models ({backbone['model']} and {text.get('model', text.get('type'))}) "
            f"that {model!r} cannot stand for: name a config of another method, or change model.backbone and "
            "model.text_encoder"
        )
    if pretrained is None and model not in EMBEDDED_MODELS:
        raise ConfigError(
            f"{model!r} needs weights: name a pretrained tag or a local weights file, or use an embedded model "
            f"({', '.join(EMBEDDED_MODELS)})"
        )
    if check:
        check_backbone(config, model)
    for tower in (backbone, config.model.get("text_encoder")):
        if tower is not None:
            tower.update(model=model, pretrained=pretrained)
    return config


def check_backbone(config: Config, model: str) -> None:
    """ConfigError, with the reason, when a CLIP cannot run the method of a config; a warning where it runs poorly.

    ``position`` of a ViT's config is dropped for a ResNet, where it would add the pool's table to every position.
    """
    backbone = config.model.backbone
    try:
        kind = backbone_class(model)
    except ValueError as error:  # an unknown name; the message lists similar ones
        raise ConfigError(str(error)) from error
    if config.model.get("class_embeddings") is not None:
        raise ConfigError(
            f"class_embeddings are of the text tower of {backbone['model']!r}: remove them to use {model!r}"
        )
    reason = refusal(kind, backbone)
    if reason:
        raise ConfigError(f"{model!r} cannot run this config's method: {reason}")
    head = config.model.get("decode_head") or {}
    trained = head.get("pretrained") or (head.get("init_cfg") or {}).get("checkpoint")
    if trained:
        raise ConfigError(
            f"the head's weights ({trained}) were trained on features of {backbone['model']!r}: train the head on "
            f"{model!r} first, or take a method without training"
        )
    if kind == "CLIPResNet" and not str(backbone["model"]).startswith("RN"):
        backbone.pop("position", None)
    expected = caveat(model)
    if expected:
        warnings.warn(f"{model!r}: {expected}", stacklevel=3)


def backbone_names() -> dict[str, Path]:
    """Name -> base config of the CLIPs that are known by name with their weights: ``vit-b16_metaclip``, ..."""
    paths = sorted((config_root() / "_base_" / "backbones").glob("*_*.py"))
    return {path.stem: path for path in paths if "clip" in Config.fromfile(path)}


def named_backbone(model: str, pretrained: str | None = None) -> tuple[str, str | None]:
    """(model, pretrained) of a name of ``backbone_names``; other names pass. Weights that are given stay."""
    path = backbone_names().get(model)
    clip = None if path is None else Config.fromfile(path).get("clip")
    return (model, pretrained) if clip is None else (clip.model, pretrained or clip.pretrained)


def method_config(task: str, model: str, method: str | None = None) -> tuple[Path, bool]:
    """The shipped config that suits a model best, and whether it is made for just this model.

    Only configs for generic data (``generic`` in the name) are meant for pictures of one's own; among them one for this
    backbone is preferred, then one for its family (``vit``, ``rn``, ...).

    Args:
        task: ``segmentation``, ``detection`` or ``panoptic``.
        model: ``lite``, ``scenes`` or an open_clip model name.
        method: first field of the config's name or its folder; None for any.

    Raises:
        ConfigError: no config of this method and task.
    """
    wanted = _slug(model)
    candidates = {name: path for name, path in shipped_configs().items() if "generic" in name}
    methods = sorted({name.split("_")[0] for name in candidates})
    if method is not None:
        key = _slug(method)
        candidates = {n: p for n, p in candidates.items() if key in (_slug(n.split("_")[0]), _slug(p.parent.name))}

    def rank(name: str) -> tuple:
        backbone = _slug([*name.split("_"), ""][1])
        family = re.match("[a-z]*", wanted).group()[:3]
        liked = PREFERRED.index(name.split("_")[0]) if name.split("_")[0] in PREFERRED else len(PREFERRED)
        return (backbone != wanted, not backbone.startswith(family), liked, len(name), name)

    for name in sorted(candidates, key=rank):
        if task_of(Config.fromfile(candidates[name])) == task:
            return candidates[name], not rank(name)[0]
    what = f"{task} with method {method!r}" if method else task
    raise ConfigError(f"no shipped config for {what}: the methods are {', '.join(methods)}, or name a config file")


def methods_for(task: str, model: str) -> list[str]:
    """The methods with a shipped config for generic data that is made for just this model."""
    fitting = [name for name in shipped_configs() if "generic" in name and _slug(name.split("_")[1]) == _slug(model)]
    return sorted({name.split("_")[0] for name in fitting if task_of(Config.fromfile(find_config(name))) == task})


def untrained_methods(task: str, model: str) -> dict[str, Path]:
    """Method -> its config that suits a model best, of the shipped methods that need no training of their own.

    Configs for generic data come before those for a data set, plain ones before those with options. An embedded model
    has only the methods with a config made for it; others have all that there are, with the model put in place.
    """
    wanted = _slug(model)
    best: dict[str, tuple[tuple, Path]] = {}
    for name, path in shipped_configs().items():
        fields = name.split("_")
        exact, generic = _slug([*fields, ""][1]) == wanted, "generic" in name
        if re.search(r"_\d+xb\d+", name) or not (exact or (generic and model not in EMBEDDED_MODELS)):
            continue
        rank = (not generic, not exact, len(fields), name)
        if fields[0] not in best or rank < best[fields[0]][0]:
            best[fields[0]] = rank, path
    chosen = {method: path for method, (_, path) in sorted(best.items())}
    return {method: path for method, path in chosen.items() if task_of(Config.fromfile(path)) == task}


def picture_config(path: Path, model: str, pretrained: str | None = None) -> Config:
    """A config for pictures of one's own with this model: the twin of a method for a data set of an embedded model
    takes the test pipeline of that model's generic config."""
    config, fields = load_config(path), [*path.stem.split("_"), ""]
    if _slug(fields[1]) != _slug(model) or pretrained is not None:
        use_backbone(config, model, pretrained)
    if "generic" not in path.stem:
        config.test_pipeline = load_config(method_config(task_of(config), model)[0]).test_pipeline
    return config


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def task_of(config: Config) -> str:
    """``segmentation``, ``detection`` or ``panoptic``, by the name of the config's model: the first of its tasks."""
    return tasks_of(config)[0]


def tasks_of(config: Config) -> tuple[str, ...]:
    """All tasks that the config's model has answers for."""
    model = config.get("model", {})
    name = str(model.get("type", "")).rsplit(".", 1)[-1]
    if "mask_head" in model:
        return ("panoptic", "segmentation", "detection")
    if "Panoptic" in name:
        return ("panoptic", "detection")
    if "Detector" in name or "roi_head" in model or "RCNN" in name:
        return ("detection",)
    return ("segmentation",)


def inference_pipeline(config: Config) -> list[ConfigDict]:
    """The config's test pipeline without its annotation loaders.

    Raises:
        ConfigError: no test pipeline.
    """
    pipeline = config.get("test_pipeline")
    if pipeline is None:
        dataset = config.get("test_dataloader", {}).get("dataset", {})
        while "dataset" in dataset:
            dataset = dataset["dataset"]
        pipeline = dataset.get("pipeline")
    if not pipeline:
        raise ConfigError("the config has no test_pipeline: define it at the top level")
    return [step for step in pipeline if "Annotations" not in str(step["type"])]
