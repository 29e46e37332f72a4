"""Every protocol of ``configs/_base_/protocols`` and every config that follows one: data, names and numbers fit together."""

from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.segmentors import TestSettings
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2] / "configs"
SETS = dict(
    [("voc20", 20), ("voc21", 21), ("context59", 59), ("context60", 60)]
    + [("coco-object", 81), ("coco-stuff", 171), ("cityscapes", 19), ("ade20k", 150)]
)
PROTOCOLS = sorted(path for path in (ROOT / "_base_" / "protocols").glob("*_*.py"))
FOLLOWERS = sorted(path for path in ROOT.glob("[!_]*/*.py") if "/_base_/protocols/" in path.read_text())
METHODS = ("clearclip", "gem", "maskclip", "naclip", "resclip", "scclip", "sclip")
ROWS = {f"{method}_{backbone}" for method in METHODS for backbone in ("vit-b16", "vit-l14")}
ROWS |= {"naclip_vit-b16_pamr", "naclip_vit-l14_pamr"}
ROWS |= {"proxyclip_vit-b16", "proxyclip_vit-b16_dinov2", "proxyclip_vit-b16_sam", "proxyclip_vit-l14"}
ROWS |= {"corrclip_vit-b16", "corrclip_vit-b16_metaclip", "corrclip_vit-l14_metaclip"}
ROWS |= {"lposs_vit-b16", "lposs-plus_vit-b16"}
ROWS |= {f"talk2dino_{dino}" for dino in ("dinov2-vit-b14", "dinov2-vit-l14", "dinov3-vit-b16", "dinov3-vit-l16")}
ROWS |= {"clip-dinoiser_vit-b16", "clip-dinoiser_vit-l14"}
ROWS |= {f"trident_{kind}" for kind in ("vit-b16", "vit-b16_sam-refine", "vit-l14", "vit-l14_sam-refine")}

read = cache(Config.fromfile)


def short_side(config):
    (resize,) = (step for step in config.test_pipeline if step.type.endswith("Resize"))
    assert resize.keep_ratio and resize.scale[0] == 2048
    return resize.scale[1]


@pytest.mark.parametrize("path", PROTOCOLS, ids=lambda path: path.stem)
def test_a_protocol_names_data_words_and_settings_that_fit(path):
    config = read(path)
    name, data = path.stem.split("_")
    assert config.protocol.name == name and config.protocol.family in ("SCLIP", "TCL")
    vocabulary = load_vocabulary(**config.protocol.vocabulary)
    TestSettings.parse(config.protocol.test_cfg)
    steps = config.test_dataloader.dataset.pipeline
    assert steps == config.test_pipeline == config.val_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope("ovdense"):
        dataset = DATASETS.build(dict(config.test_dataloader.dataset, lazy_init=True))
        for step in steps:
            TRANSFORMS.build(step)
    assert dataset.metainfo["classes"] == vocabulary.classes and len(vocabulary.classes) == SETS[data]
    assert dataset.reduce_zero_label == (data in ("voc20", "context59", "ade20k"))
    assert dataset.data_root.startswith("data/")
    assert (vocabulary.background.policy == "names") == (data in ("voc21", "context60", "coco-object"))


def test_every_protocol_has_all_eight_sets():
    stems = {path.stem for path in PROTOCOLS}
    names = {stem.split("_")[0] for stem in stems}
    assert stems == {f"{name}_{data}" for name in names for data in SETS}
    assert {"sclip", "naclip", "clearclip", "scclip", "resclip", "proxyclip", "trident", "corrclip"} < names
    assert {"tcl", "lposs", "talk2dino"} < names


# short side, crop, stride (None: whole picture), logit scale, probability threshold, area threshold; read off the
# repositories' configs, independently of the files.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sclip_voc21", (336, 224, 112, 65, 0.1, 0.1)),
        ("sclip_context60", (336, 224, 112, 50, 0.1, None)),
        ("sclip_coco-object", (336, 224, 112, 50, 0.1, None)),
        ("sclip_coco-stuff", (448, 224, 112, 40, None, None)),
        ("sclip_cityscapes", (560, 224, 112, 40, None, None)),
        ("naclip_voc20", (336, None, None, 40, None, None)),
        ("naclip_voc21", (336, None, None, 40, 0.1, None)),
        ("naclip_coco-stuff", (336, 224, 112, 40, None, None)),
        ("scclip_voc21", (336, 224, 112, 50, 0.15, 0.1)),
        ("scclip_coco-object", (336, 224, 112, 55, 0.35, None)),
        ("resclip_voc21", (336, None, None, 40, 0.1, None)),
        ("clearclip_voc21", (448, 448, 224, 50, 0.5, None)),
        ("clearclip_context60", (448, 448, 224, 50, 0.15, None)),
        ("clearclip_coco-object", (448, 448, 224, 50, 0.4, None)),
        ("clearclip_cityscapes", (448, 224, 224, 50, None, None)),
        ("proxyclip_ade20k", (448, 336, 112, 40, None, None)),
        ("proxyclip_cityscapes", (448, 224, 112, 40, None, None)),
        ("proxyclip_coco-object", (336, 336, 112, 40, 0.25, None)),
        ("trident_voc20", (336, 336, 112, 40, None, None)),
        ("trident_cityscapes", (688, 336, 224, 40, None, None)),
        ("corrclip_context60", (336, 336, 112, 40, 0.15, None)),
        ("tcl_voc21", (448, 448, 224, 100, None, None)),
        ("lposs_voc21", (448, 224, 112, 100, None, None)),
        ("talk2dino_cityscapes", (448, 448, 224, 100, None, None)),
    ],
)
def test_numbers_of_the_repositories(name, expected):
    config = read(ROOT / "_base_" / "protocols" / f"{name}.py")
    settings = TestSettings.parse(config.protocol.test_cfg)
    sliding = settings.mode == "slide"
    crop, stride = (settings.crop_size[0], settings.stride[0]) if sliding else (None, None)
    got = (short_side(config), crop, stride, settings.logit_scale, settings.prob_threshold, settings.area_threshold)
    assert got == expected


def test_names_of_the_repositories():
    def phrases(name):
        vocabulary = load_vocabulary(name)
        return dict(zip(vocabulary.classes, vocabulary.phrases))

    sclip = phrases("voc-sclip-21")
    assert len(sclip["background"]) == 26 and sclip["background"][-1] == "fence"
    assert sclip["boat"] == ("ship",) and sclip["diningtable"] == ("table",) and len(sclip["person"]) == 7
    assert sclip["tvmonitor"] == ("television monitor", "tv monitor", "monitor", "television", "screen")
    assert phrases("coco-object-sclip-81")["person"][-1] == "body"
    assert phrases("coco-object-proxyclip-81")["background"][-4:] == ("cloud", "floor", "hill", "rail")
    assert phrases("coco-object-clearclip-81")["background"] == ("background",)
    assert phrases("coco-object-corrclip-81")["person"] == phrases("cityscapes-corrclip-19")["person"] == ("people",)
    assert phrases("cityscapes-sclip-19")["traffic light"] == ("trafficlight",)
    assert phrases("ade20k-sclip-150")["chest of drawers"] == ("chestofdrawers",)
    assert phrases("coco-stuff-sclip-171")["desk-stuff"] == ("desk-stuff",)
    assert phrases("pascal-context-tcl-60")["pottedplant"] == ("potted plant",)


@pytest.mark.parametrize("path", FOLLOWERS, ids=lambda path: path.stem)
def test_a_config_follows_its_protocol(path):
    config = read(path)
    data = path.stem.split("_")[-1].rsplit("-", 1)[0].removesuffix("-150")
    assert load_vocabulary(**config.model.vocabulary).num_classes == SETS[data]
    assert config.model.vocabulary == config.protocol.vocabulary
    protocol, test_cfg = dict(config.protocol.test_cfg), dict(config.model.test_cfg)
    if path.parent.name == "trident":  # its backbone cuts the windows
        backbone = config.model.backbone
        assert (protocol.pop("mode"), test_cfg["mode"]) == ("slide", "whole")
        assert (backbone.crop_size, backbone.stride) == (protocol.pop("crop_size"), protocol.pop("stride"))
    assert protocol.items() <= test_cfg.items()
    assert not set(test_cfg) - set(protocol) & {"area_threshold", "crop_size", "stride"}
    if path.parent.name != "talk2dino":  # its score of the background depends on the size of the model
        assert test_cfg.get("prob_threshold") == protocol.get("prob_threshold")
    assert short_side(config) == int(path.stem.rsplit("-", 1)[1])
    assert len(path.read_text().splitlines()) <= 10 and len(path.stem) <= 70
    assert config.default_scope == "ovdense" and config.model.type in ("OpenVocabSegmentor", "CaptionSegmentor")
    assert config.model._scope_ == "ovdense"


def test_every_row_has_all_eight_sets():
    names = {path.stem for path in ROOT.glob("[!_]*/*.py")}
    for row in ROWS:
        for data in SETS:
            data = data.replace("ade20k", "ade20k-150")
            assert any(name.startswith(f"{row}_{data}-") for name in names), (row, data)


def cell(path):
    """A protocol as a cell of the table of docs/protocols.md."""
    config = read(path)
    settings = TestSettings.parse(config.protocol.test_cfg)
    window = f"{settings.crop_size[0]}/{settings.stride[0]}" if settings.mode == "slide" else "whole"
    parts = [str(short_side(config)), window, f"{settings.logit_scale:g}"]
    for letter, threshold in (("p", settings.prob_threshold), ("a", settings.area_threshold)):
        parts += [] if threshold is None else [f"{letter} {threshold:g}"]
    return "; ".join(parts)


def test_the_page_shows_what_the_protocols_say():
    lines = (ROOT.parent / "docs" / "protocols.md").read_text(encoding="utf-8").splitlines()
    tables = [[field.strip() for field in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    head = next(row for row in tables if row[0] == "protocol")
    shown = {row[0].strip("`"): row[1:] for row in tables if len(row) == 9 and row[0].startswith("`")}
    assert set(shown) == {path.stem.split("_")[0] for path in PROTOCOLS}
    for name, cells in shown.items():
        for data, text in zip(head[1:], cells):
            path = ROOT / "_base_" / "protocols" / f"{name}_{data.strip('`')}.py"
            assert text == cell(path), path.stem
