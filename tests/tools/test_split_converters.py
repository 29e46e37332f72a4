"""Converters of detection data in-process: base and novel classes of one's own data, OV-COCO, OV-LVIS."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovdense.datasets.coco_splits import Part, differences
from ovdense.models.vocabulary_files import load_vocabulary

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "dataset_converters"


@pytest.fixture
def load_tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))  # ov_lvis shares functions of ov_coco

    def load(name):
        spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("ov_coco", None)


CONFIG = """
_base_ = [{bases}]
model = dict(vocabulary="data/own/open_vocabulary/vocabulary.json")
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ovdense.Resize", scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type="mmdet.LoadAnnotations", with_bbox=True),
    dict(type="mmdet.PackDetInputs", meta_keys={{{{_base_.meta_keys}}}}),
]
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
"""
BASES = ("models/region_text_detector", "datasets/own_data_det", "default_runtime_det")


def coco(names, boxes, first=1, **extra):
    """Pictures ``first`` and the next; ``boxes`` are (picture, name)."""
    categories = [dict(id=number, name=name, **extra) for number, name in enumerate(names, 1)]
    images = [dict(id=i, file_name=f"{i}.jpg", width=100, height=100) for i in (first, first + 1)]
    annotations = [
        dict(id=n, image_id=picture, category_id=names.index(name) + 1, bbox=[1, 1, 9, 9], area=81, iscrowd=0)
        for n, (picture, name) in enumerate(boxes, 1)
    ]
    return dict(images=images, annotations=annotations, categories=categories)


def write(path, document):
    path.write_text(json.dumps(document))
    return str(path)


NAMES = ["cat", "dog", "cow", "bus"]


def test_own_data_is_split_and_checked(load_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = write(tmp_path / "train.json", coco(NAMES, [(1, "cat"), (1, "dog"), (2, "dog"), (2, "bus")]))
    val = write(tmp_path / "val.json", coco(NAMES, [(3, "cat"), (4, "bus"), (4, "dog")], first=3))
    (tmp_path / "photos").mkdir()
    arguments = [train, "--val", val, "--novel", "cat", "--images", "photos", "--out", "out"]
    report = load_tool("split_base_novel").main(arguments)
    assert report["base"] == ["dog", "cow", "bus"] and report["novel"] == ["cat"]
    made = json.loads((tmp_path / "out" / "base_train.json").read_text())
    assert sorted(one["category_id"] for one in made["annotations"]) == [2, 2, 4] and len(made["categories"]) == 4
    assert json.loads((tmp_path / "out" / "vocabulary.json").read_text())["groups"] == dict(base=[1, 2, 3], novel=[0])
    assert any("2 of 2 pictures not in photos" in text for text in report["problems"])
    assert any("1 base classes have no box: cow" in text for text in report["problems"])
    # Datasets look for relative folders of pictures below the annotations.
    assert f"data_prefix.img={tmp_path / 'photos'}" in capsys.readouterr().out


def test_the_share_of_novel_classes_can_be_evaluated(load_tool, tmp_path):
    train = write(tmp_path / "train.json", coco(NAMES, [(1, "cat"), (1, "dog"), (2, "dog"), (2, "cat")]))
    val = write(tmp_path / "val.json", coco(NAMES, [(3, "cat"), (4, "bus")], first=3))
    tool = load_tool("split_base_novel")
    assert tool.main([train, "--novel-share", "0.5", "--out", str(tmp_path / "a")])["novel"] == ["cat"]  # not cow
    both = tool.main([train, "--val", val, "--novel-share", "0.5", "--out", str(tmp_path / "b")])
    assert both["novel"] == ["bus"]
    with pytest.raises(SystemExit, match="doog"):
        tool.main([train, "--novel", "doog"])


def test_files_of_other_counts_than_published_are_named(load_tool, tmp_path, capsys):
    val = write(tmp_path / "val.json", coco(list(load_vocabulary("coco-80").classes), [(1, "person"), (1, "dog")]))
    tool = load_tool("ov_coco")
    for said in ("which differs from what is published", "there already"):
        tool.main(["--val", val, "--out", str(tmp_path / "out"), "--protocols", "ov-coco-65", "ov-coco-80"])
        shown = capsys.readouterr()
        assert said in shown.out
        warnings = [line for line in shown.err.splitlines() if line.startswith("warning: ")]
        assert len(warnings) == 3 and "instances_val2017_all_2.json: 1 pictures instead of 4836, 2 ann" in warnings[0]
        assert "2 pictures instead of 5000; is val.json the whole official file?" in warnings[1]


def test_counts_as_published_are_no_difference():
    part = Part("a.json", "val", ("cat",), ("cat",), published=(2, None))
    entry = dict(images=2, annotations=7, source="val.json")
    assert differences([part], {"a.json": entry}) == [] == differences([part], {})
    assert len(differences([part], {"a.json": dict(entry, images=3)})) == 1


@pytest.mark.parametrize("frequency", ["r", "f"])
def test_other_editions_of_lvis_are_refused(load_tool, tmp_path, frequency):
    names = list(load_vocabulary("lvis-1203").classes)
    tool = load_tool("ov_lvis")
    old = write(tmp_path / "old.json", coco([*names, *(f"more {n}" for n in range(27))], [(1, names[0])]))
    with pytest.raises(SystemExit, match=r"LVIS v0\.5 with its 1230 classes"):
        tool.main(["--val", old, "--out", str(tmp_path / "out")])
    odd = write(tmp_path / "odd.json", coco(names, [(1, names[0])], frequency=frequency))
    with pytest.raises(SystemExit, match=f"{866 if frequency == 'r' else 337} classes are rare in the file and not"):
        tool.main(["--val", odd, "--out", str(tmp_path / "out")])


def test_split_data_are_tested_by_the_command_that_is_printed(load_tool, tmp_path, capsys, monkeypatch):
    """Base and novel figures of one's own data, from a json and a folder of pictures, in two commands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        noise = np.random.default_rng(number).integers(0, 255, (100, 100, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{number}.jpg")
    train = write(tmp_path / "train.json", coco(NAMES, [(1, "cat"), (1, "dog"), (2, "dog"), (2, "bus")]))
    load_tool("split_base_novel").main([train, "--novel", "cat", "--images", "photos", "--out", "out"])
    command = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("test: "))
    options = command.split("--cfg-options ")[1].split()
    folder = TOOLS.parents[1] / "configs" / "_base_"
    config = tmp_path / "own.py"
    config.write_text(CONFIG.format(bases=", ".join(repr(str(folder / f"{base}.py")) for base in BASES)))
    spec = importlib.util.spec_from_file_location("tool_test", TOOLS.parent / "test.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    metrics = tool.main([str(config), "none", "--work-dir", str(tmp_path / "work"), "--cfg-options", *options])
    assert {"ov_coco/bbox_AP50_novel", "ov_coco/bbox_AP50_base"} <= set(metrics)
    report = json.loads((tmp_path / "work" / "results.json").read_text())
    groups = {row["name"]: row["group"] for row in report["classes"]["bbox"]}
    assert groups == dict(cat="novel", dog="base", cow="base", bus="base")
    assert "2 pictures" in report["protocol_line"] and "1/1 novel, 2/3 base" in report["protocol_line"]
