"""Tables, comparisons and the page of worst pictures, from label maps as tools/test.py writes them."""

import base64
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.apis.stored_predictions import StoredPredictions
from ovdense.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
default_scope = "ovdense"
test_pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), dict(type="mmseg.PackSegInputs")]
test_dataloader = dict(dataset=dict(type="{kind}", data_root="{root}", pipeline=test_pipeline, {more}))
"""


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools/analysis_tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two VOC pictures of 2 x 4; predictions are written plus one, since the zero label is reduced."""
    for name, truth, found in (
        ("good", [[1, 1, 2, 2], [1, 1, 2, 255]], [[1, 1, 2, 2], [1, 1, 2, 2]]),
        ("poor", [[16, 16, 0, 0], [16, 16, 16, 16]], [[16, 1, 1, 1], [2, 2, 2, 2]]),
    ):
        save(tmp_path / f"JPEGImages/{name}.jpg", np.full((2, 4, 3), 90))
        save(tmp_path / f"SegmentationClass/{name}.png", truth)
        save(tmp_path / f"labels/{name}.png", found)
    (tmp_path / "val.txt").write_text("good\npoor\n")
    more = 'ann_file="val.txt", data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass")'
    (tmp_path / "config.py").write_text(CONFIG.format(kind="VOC20Dataset", root=tmp_path, more=more))
    return tmp_path


def test_per_class_and_seen_unseen(folder, capsys):
    arguments = [str(folder / "config.py"), str(folder / "labels")]
    extra = ["--csv", str(folder / "t.csv"), "--matrix", str(folder / "m.png"), "--json", str(folder / "r.json")]
    content = tool("per_class").main([*arguments, "--split", "voc-15-5", *extra])
    rows = {row["name"]: row for row in content["classes"]}
    # aeroplane 4 right of 4, one pixel found too much; bicycle 3 of 3 and 4 too much; pottedplant 1 of 6
    assert rows["aeroplane"]["IoU"] == 80.0 and rows["bicycle"]["IoU"] == pytest.approx(42.86)
    assert rows["pottedplant"]["IoU"] == pytest.approx(16.67) and rows["pottedplant"]["taken_for"] == "bicycle (67 %)"
    assert content["groups"]["seen"]["mIoU"] == pytest.approx(61.43)
    assert content["groups"]["unseen"]["mIoU"] == pytest.approx(16.67) and content["hIoU"] == pytest.approx(
        26.22, abs=0.01
    )
    assert content["pictures"] == 2 and content["mixups"][0]["taken_for"] == "bicycle"
    assert json.loads((folder / "r.json").read_text())["aAcc"] == content["aAcc"] == pytest.approx(61.54)
    assert (folder / "t.csv").read_text().splitlines()[1].startswith("aeroplane,80.0,100.0,")
    assert Image.open(folder / "m.png").width > 300
    named = tool("per_class").main([*arguments, "--vocabulary", "voc-20", "--groups", "unseen", "--sort", "IoU"])
    assert named["groups"]["unseen"]["classes"] == 5
    with pytest.raises(SystemExit, match="no group base"):
        tool("per_class").main([*arguments, "--groups", "base"])
    assert "hIoU 26.22" in capsys.readouterr().out


def test_what_does_not_belong_together_is_said(folder):
    per_class = tool("per_class")
    with pytest.raises(FileNotFoundError, match=r"no label PNGs in .*tools/test.py CONFIG CHECKPOINT --out"):
        per_class.main([str(folder / "config.py"), str(folder / "nothing")])
    save(folder / "other/unknown.png", [[1]])
    with pytest.raises(FileNotFoundError, match="belongs to a test picture"):
        per_class.main([str(folder / "config.py"), str(folder / "other")])


def test_the_worst_come_first_and_the_page_stands_alone(folder):
    page = folder / "out/worst.html"
    arguments = [str(folder / "config.py"), str(folder / "labels"), str(page)]
    order = tool("worst_images").main([*arguments, "--side", "64"])
    # good: aeroplane and bicycle are right. poor: pottedplant 1/6, aeroplane 0/1, bicycle 0/4; void is not scored
    assert [name for name, _ in order] == ["poor", "good"]
    assert order[0][1] == pytest.approx(100 / 18) and order[1][1] == 100
    text = page.read_text()
    assert "http" not in text and text.index("poor:") < text.index("good:")
    views = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", text)]
    assert len(views) == 8 and {view.size for view in views} == {(4, 2)}
    truth, found, errors = (np.asarray(view) for view in views[1:4])
    assert truth[0, 0].tolist() == [0, 64, 0] and truth[0, 3].tolist() == [0, 0, 0]  # pottedplant; void
    assert found[0, 1].tolist() == [128, 0, 0]
    assert (errors == [220, 40, 40]).all(-1).tolist() == [[False, True, False, False], [True] * 4]
    plant = tool("worst_images").main([*arguments, "--class-name", "pottedplant", "--number", "1"])
    assert plant == [("poor", pytest.approx(100 / 6))]
    with pytest.raises(SystemExit, match="no class 'cactus'"):
        tool("worst_images").main([*arguments, "--class-name", "cactus"])


def test_drawn_scenes_have_no_picture_file(tmp_path):
    text = CONFIG.format(kind="ScenesSegDataset", root="", more='num_scenes=2, split="test", test_mode=True')
    (tmp_path / "config.py").write_text(
        text.replace('data_root="", ', "").replace('dict(type="LoadAnnotations"), ', "")
    )
    with DefaultScope.overwrite_default_scope("ovdense"):
        data = DATASETS.build(Config.fromfile(tmp_path / "config.py").test_dataloader.dataset)
    for index in range(2):
        sample = data[index]["data_samples"]
        save(tmp_path / f"labels/{Path(sample.img_path).stem}.png", sample.gt_sem_seg.data[0].numpy())
    for one in StoredPredictions(tmp_path / "config.py", tmp_path / "labels"):
        assert one.picture.shape[:2] == one.truth.shape and one.picture.std() > 5
        assert np.array_equal(one.truth, one.predicted)


def test_runs_side_by_side(tmp_path, capsys):
    runs = {
        "first": dict(mIoU=40.0, aAcc=80.0, protocol=dict(short_side=448, protocol="tcl")),
        "second": dict(mIoU=42.5, hIoU=20.0, protocol=dict(short_side=336, protocol="tcl")),
    }
    for name, content in runs.items():
        (tmp_path / name / "20250101_000000").mkdir(parents=True)
        (tmp_path / name / "20250101_000000/20250101_000000.json").write_text(json.dumps(content))
    folders = [str(tmp_path / name) for name in runs]
    content = tool("compare_runs").main([*folders, "--json", str(tmp_path / "c.json")])
    rows = {row["name"]: row for row in content["figures"]}
    assert rows["mIoU"]["differences"] == [0.0, 2.5] and rows["hIoU"] == dict(
        name="hIoU", values=[None, 20.0], differences=[None, None]
    )
    assert content["protocols_differ"] == dict(short_side=[448, 336])
    shown = capsys.readouterr().out
    assert "42.50 (+2.50)" in shown and "protocols differ in short_side: 448 | 336" in shown
    only = tool("compare_runs").main([*folders, "--only", "mIoU", "--markdown", "--names", "a", "b"])
    assert [row["name"] for row in only["figures"]] == ["mIoU"]
    assert "| mIoU | 40.00 | 42.50 (+2.50) |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no result json"):
        tool("compare_runs").main([str(tmp_path / "first"), str(tmp_path / "first/20250101_000000/x")])


def test_reports_of_classes_are_compared(tmp_path):
    for name, score in (("a", 50.0), ("b", 60.0)):
        rows = [dict(name="cat", IoU=score, Acc=1.0)]
        report = dict(mIoU=score, pictures=3, groups=dict(base=dict(classes=1, mIoU=score)), classes=rows)
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    content = tool("compare_runs").main([str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    found = {row["name"]: row["differences"][1] for row in content["figures"]}
    assert found == {"mIoU": 10.0, "pictures": 0.0, "mIoU_base": 10.0, "class/cat": 10.0}
