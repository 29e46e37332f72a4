"""The protocol behind a score, read off what really ran and not off what a config was named after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ovdense.models.segmentors import TestSettings
from ovdense.models.vocabulary_files import load_templates, template_names

COMPARED = (
    *("mode", "crop_size", "stride", "logit_scale", "prob_threshold", "area_threshold"),
    *("resize", "contrast", "min_region"),
)


class Protocol(dict):
    """What a score was taken with, as plain values for a json file; ``line`` says it to a reader."""

    def __str__(self) -> str:
        return self["protocol"]

    @property
    def line(self) -> str:
        """One line without line breaks."""
        return ", ".join(str(text) for key, text in _words(self).items() if text)


def describe_protocol(
    model, *, pipeline: Sequence[Mapping] = (), dataset=None, metrics: Sequence = (), config: Mapping | None = None
) -> Protocol:
    """The protocol of a test.

    Args:
        model: the built segmentor, unwrapped; models without ``TestSettings`` or vocabulary are described by the rest.
        pipeline: the steps of the test data, as configs write them.
        dataset: the built dataset.
        metrics: the built metrics.
        config: the config; its ``protocol`` is the one that was asked for, and what differs from it is listed under
            ``changed``.
    """
    config = config or {}
    asked = config.get("protocol") or {}
    settings = getattr(model, "test_cfg", None)
    settings = settings if isinstance(settings, TestSettings) and hasattr(model, "label_rules") else None
    vocabulary = getattr(model, "vocabulary", None)
    content = Protocol(protocol=asked.get("name") or "none named", family=asked.get("family"))
    content.update(dataset=None if dataset is None else type(dataset).__name__)
    content.update(pictures=None if dataset is None else len(dataset))
    backbone = getattr(model, "backbone", None)
    content.update(backbone=getattr(backbone, "space", None) or getattr(backbone, "name", None))
    content.update(attention=getattr(getattr(backbone, "variant", None), "name", None))
    content.update(head=type(model.decode_head).__name__ if hasattr(model, "decode_head") else None)
    content.update(max_per_image=_max_per_image(model))
    content.update(short_side=_short_side(pipeline))
    if settings is not None:
        content.update(_settings(model, settings))
    if vocabulary is not None:
        content.update(_words_used(model, vocabulary, config))
    content.update(metrics=[_metric(metric) for metric in metrics])
    changed = _changed(asked, content, settings, config.get("test_pipeline") or pipeline)
    return Protocol(content, changed=changed)


def _settings(model, settings: TestSettings) -> dict:
    rules = model.label_rules()
    slides = settings.mode == "slide"
    content = dict(
        window=dict(crop=list(settings.crop_size), stride=list(settings.stride)) if slides else "whole",
        scale=rules.logit_scale if rules.softmax else None,
        prob_threshold=rules.prob_threshold,
        area_threshold=rules.area_threshold,
        resize=settings.resize,
        contrast=settings.contrast,
        min_region=settings.min_region,
        official_quirks=settings.official_quirks,
    )
    refine = getattr(model, "refine", None)
    return dict(content, refine=None if refine is None else dict(type=type(refine).__name__, **_plain(vars(refine))))


def _words_used(model, vocabulary, config: Mapping) -> dict:
    templates = vocabulary.templates or getattr(getattr(model, "_text_encoder", None), "templates", ())
    source = (config.get("model") or {}).get("vocabulary")
    source = source.get("source") if isinstance(source, Mapping) else source
    background = vocabulary.background
    return dict(
        templates=_template_name(tuple(templates)),
        names=source if isinstance(source, str) else "given",
        classes=vocabulary.num_classes,
        phrases=vocabulary.num_phrases,
        vocabulary_digest=vocabulary.digest,
        background=dict(policy=background.policy, names=list(background.names)),
    )


def _template_name(templates: tuple[str, ...]) -> str:
    """Name of a shipped list, or how many there are."""
    if not templates:
        return "the model's own"
    shipped = (name for name in template_names() if load_templates(name) == templates)
    return next(shipped, templates[0] if len(templates) == 1 else f"{len(templates)} of its own")


def _max_per_image(model) -> int | None:
    """Detections that the model gives for a picture at most; None for what is no detector."""
    settings = getattr(model, "test_cfg", None)
    if not isinstance(settings, Mapping):
        return None
    return settings.get("max_per_img") or (settings.get("rcnn") or {}).get("max_per_img")


def _short_side(pipeline: Sequence[Mapping]) -> int | str | None:
    """Short side in pixels, ``H x W`` where pictures are squeezed, None where nothing is resized."""
    for step in pipeline:
        if str(step.get("type", "")).rsplit(".", 1)[-1] == "Resize" and step.get("scale"):
            scale = step["scale"]
            scale = (scale, scale) if isinstance(scale, int) else tuple(scale)
            return min(scale) if step.get("keep_ratio") else f"{scale[1]} x {scale[0]}"
    return None


def _metric(metric) -> dict:
    if hasattr(metric, "describe"):
        return metric.describe()
    measures = getattr(metric, "metrics", None)
    names = list(measures) if isinstance(measures, (list, tuple)) else []
    return dict(type=type(metric).__name__, measures=names, present_only=bool(getattr(metric, "present_only", False)))


def _changed(asked: Mapping, content: Mapping, settings: TestSettings | None, pipeline: Sequence[Mapping]) -> list[str]:
    """What differs from the protocol that the config names."""
    changed = []
    if asked.get("test_cfg") and settings is not None:
        wanted = TestSettings.parse(dict(asked["test_cfg"]))
        changed += [name for name in COMPARED if getattr(wanted, name) != getattr(settings, name)]
    words = asked.get("vocabulary") or {}
    for key, name in (("source", "names"), ("templates", "templates")):
        changed += [name] if words.get(key) and words[key] != content.get(name) else []
    return changed + (["short_side"] if asked and _short_side(pipeline) != content["short_side"] else [])


def _plain(values: Mapping) -> dict:
    kept = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {key: value for key, value in kept.items() if isinstance(value, (bool, int, float, str, list))}


def _words(content: Mapping) -> dict[str, str]:
    """The parts of the line by key, in order."""
    get = content.get
    parts = dict(protocol=f"{get('protocol')} ({get('family')} family)" if get("family") else str(get("protocol")))
    if get("dataset"):
        parts["protocol"] += f" on {get('dataset')}"
        parts["pictures"] = f"{get('pictures')} pictures"
    parts["backbone"] = f"backbone {get('backbone')}" if get("backbone") else ""
    parts["attention"] = f"attention {get('attention')}" if get("attention") else ""
    side = get("short_side")
    parts["short_side"] = f"short side {side}" if isinstance(side, int) else f"size {side or 'as it is'}"
    if get("max_per_image"):
        parts["max_per_image"] = f"the model gives at most {get('max_per_image')} detections a picture"
    if "window" in content:
        parts.update(_setting_words(content))
    if "names" in content:
        parts["templates"] = f"templates {get('templates')}"
        parts["names"] = f"names {get('names')} ({get('phrases')} phrases of {get('classes')} classes)"
        parts["background"] = _background_words(**get("background"))
    parts["metrics"] = "; ".join(
        metric.get("line") or f"{' '.join(metric['measures']) or metric['type']} present_only={metric['present_only']}"
        for metric in get("metrics")
    )
    parts["changed"] = f"CHANGED from the protocol: {' '.join(get('changed'))}" if get("changed") else ""
    return parts


def _background_words(policy: str, names: Sequence[str]) -> str:
    if policy == "names":
        return f"background by {len(names)} names" if len(names) > 1 else f"background by the name {names[0]!r}"
    return "no background policy" if policy == "none" else f"background by {policy}"


def _setting_words(content: Mapping) -> dict[str, str]:
    def pair(values) -> str:
        return str(values[0]) if values[0] == values[1] else "x".join(map(str, values))

    window, refine = content["window"], content["refine"]
    whole = "whole picture" if window == "whole" else f"window {pair(window['crop'])}/{pair(window['stride'])}"
    words = dict(window=whole, scale=f"scale {content['scale']:g}" if content["scale"] is not None else "")
    for key in ("prob_threshold", "area_threshold", "contrast", "min_region"):
        words[key] = f"{key.replace('_', ' ')} {content[key]:g}" if content[key] is not None else ""
    words["prob_threshold"] = words["prob_threshold"] or "no prob threshold"
    words["contrast"] = words["contrast"] if content["contrast"] else ""
    words["resize"] = "resized directly" if content["resize"] == "direct" else ""
    options = "" if refine is None else " ".join(f"{key}={value}" for key, value in refine.items() if key != "type")
    words["refine"] = "" if refine is None else f"refined by {refine['type']}({options})"
    return words
