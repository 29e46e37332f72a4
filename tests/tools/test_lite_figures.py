"""The tool that scores the photo model, on two photos whose names are certain, laid out as the data it reads."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "analysis_tools"
CAT, COUCH = 17, 63


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("lite_figures", FOLDER / "lite_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(FOLDER))
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A cat that fills its photo, box and all, and the sky above a rocket as a frame of CamVid."""
    root = tmp_path_factory.mktemp("data")
    for name in ("images", "semantic", "yolo_labels"):
        (root / "coco" / name / "train2017").mkdir(parents=True)
    coco, camvid = root / "coco", root / "camvid"
    Image.fromarray(skimage.data.chelsea()).save(coco / "images" / "train2017" / "cat.jpg")
    Image.fromarray(np.full((300, 451), CAT, np.uint8)).save(coco / "semantic" / "train2017" / "cat.png")
    (coco / "semantic" / "config.yaml").write_text(
        f"classes:\n  0: unlabeled\n  {CAT}: cat\n  {COUCH}: wall-other-merged\n"
    )
    (coco / "yolo_labels" / "train2017" / "cat.txt").write_text("15 0.5 0.5 1 1\n15 0.5 0.5 0.05 0.05\n")
    for name in ("train", "trainannot"):
        (camvid / name).mkdir(parents=True)
    sky = skimage.data.rocket()[:200, :250]
    Image.fromarray(sky).save(camvid / "train" / "sky.png")
    Image.fromarray(np.zeros(sky.shape[:2], np.uint8)).save(camvid / "trainannot" / "sky.png")
    return root


def figures(tool, data, capsys, monkeypatch, *options):
    folders = [f"--coco={data / 'coco'}", f"--camvid={data / 'camvid'}", f"--cache={data / 'cache'}", "--step=4"]
    monkeypatch.setattr(sys, "argv", ["lite_figures.py", *folders, *options])
    with torch.no_grad():
        tool.main()
    return json.loads(capsys.readouterr().out)


def test_photos_whose_names_are_certain(tool, data, capsys, monkeypatch):
    found = figures(tool, data, capsys, monkeypatch)
    assert found["crops"] == dict(class_mean=100.0, top1=100.0)  # the small box does not count
    assert found["present"] == dict(mIoU=100.0, aAcc=100.0)  # one name only
    assert 60 < found["coco"]["aAcc"] < 100
    assert found["camvid"]["aAcc"] > 60
    encoded = sorted((data / "cache").rglob("*.pt"))
    assert [path.stem for path in encoded] == ["crops_cat", "train2017_cat", "train_sky"]
    times = [path.stat().st_mtime_ns for path in encoded]
    other = figures(tool, data, capsys, monkeypatch, "--set", "tau=0.5", "row_gain=0")
    assert other["coco"] != found["coco"]
    assert [path.stat().st_mtime_ns for path in encoded] == times


def test_unknown_constants_are_refused(tool, data, capsys, monkeypatch):
    with pytest.raises(ValueError, match=r"--set knows tau.*got 'temperature'"):
        figures(tool, data, capsys, monkeypatch, "--set", "temperature=1")


def test_names_as_a_person_writes_them(tool, data):
    assert tool.coco_names(data / "coco") == {CAT: "cat", COUCH: "wall"}
