"""What users import and name in configs: it exists, is documented and typed, and does not change by accident."""

import importlib
import inspect
import pkgutil
import re

import pytest

import ovdense
import ovdense.functional

ROOMS = (
    "apis",
    "compat",
    "datasets",
    "datasets.scenes",
    "datasets.transforms",
    "engine",
    "models",
    "models.backbones",
    "models.decode_heads",
    "models.detectors",
    "models.roi_heads",
    "models.segmentors",
    "models.text_encoders",
    "structures",
    "visualization",
)
PURE = sorted(module.name for module in pkgutil.iter_modules(ovdense.functional.__path__))

# Names that configs and documentation rely on: taking one away is a breaking change and belongs in the CHANGELOG.
REGISTERED = {
    "MODELS": {
        *("CLIPBackbone", "CLIPViT", "CLIPResNet", "CLIPConvNeXt", "CLIPTimm", "DINOBackbone", "LiteBackbone"),
        *("CLIPTextEncoder", "OpenVocabSegmentor", "PixelTextHead", "MaskCLIPHead", "LinearProbeHead"),
        *("OpenVocabDetector", "RegionTextHead", "TinyProposalNet", "SegmentProposals", "GivenProposals"),
        *("RPNProposals", "OpenVocabPanopticDetector"),
    },
    "DATASETS": {"CamVidDataset", "FolderSegDataset", "ScenesSegDataset", "ScenesDetDataset", "ScenesPanopticDataset"},
    "TRANSFORMS": {"LoadImage", "Resize"},
    "METRICS": {"GroupedCocoMetric", "GroupedIoUMetric", "PanopticQuality"},
}
ENTRY_POINTS = {
    "Segmenter.from_pretrained": {"model", "pretrained", "method", "device"},
    "Segmenter.from_config": {"config", "checkpoint", "device"},
    "Detector.from_pretrained": {"model", "pretrained", "method", "device"},
    "Detector.from_config": {"config", "checkpoint", "device"},
    "Segmenter.set_image": {"image"},
    "Segmenter.predict": set(),
    "init_model": {"config", "checkpoint", "device"},
    "inference_model": {"model"},
    "read_image": set(),
}


def public_names():
    for room in ROOMS:
        module = importlib.import_module(f"ovdense.{room}")
        for name in module.__all__:
            yield f"{room}.{name}", module, name


PUBLIC = list(public_names())


@pytest.mark.parametrize("module, name", [case[1:] for case in PUBLIC], ids=[case[0] for case in PUBLIC])
def test_public_names_exist_and_say_what_they_are(module, name):
    item = getattr(module, name)
    if inspect.isclass(item) or inspect.isfunction(item):
        assert item.__module__.startswith("ovdense."), f"{name} comes from {item.__module__}"
        assert len(inspect.getdoc(item) or "") > 20


@pytest.mark.parametrize("name", PURE)
def test_pure_functions_are_typed_and_documented(name):
    module = importlib.import_module(f"ovdense.functional.{name}")
    assert module.__doc__
    functions = [
        item
        for key, item in vars(module).items()
        if inspect.isfunction(item) and item.__module__ == module.__name__ and not key.startswith("_")
    ]
    for function in functions:
        assert inspect.getdoc(function), f"{name}.{function.__name__} has no docstring"
        signature = inspect.signature(function)
        untyped = [key for key, value in signature.parameters.items() if value.annotation is inspect.Parameter.empty]
        untyped = [key for key in untyped if key not in ("device", "self", "options", "kwargs")]
        assert not untyped, f"{name}.{function.__name__}: {untyped}"


@pytest.mark.parametrize("registry", sorted(REGISTERED))
def test_registered_names_resolve(registry):
    table = getattr(importlib.import_module("ovdense.registry"), registry)
    for name in REGISTERED[registry]:
        assert table.get(name) is not None, f"{registry} has no {name}"


@pytest.mark.parametrize("path", sorted(ENTRY_POINTS))
def test_entry_points_take_what_the_documentation_says(path):
    target = importlib.import_module("ovdense.apis")
    for part in path.split("."):
        target = getattr(target, part)
    assert ENTRY_POINTS[path] <= set(inspect.signature(target).parameters)


def test_version_is_a_release_number():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", ovdense.__version__)
