"""The command line in-process: files that it writes, exit codes, and one clean line for each mistake."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from ovdense import cli
from ovdense.apis.batch import list_files

CONFIG = """
default_scope = "ovdense"
model = dict(
    type="OpenVocabSegmentor",
    backbone=dict(type="CLIPBackbone", model="scenes"),
    text_encoder=dict(type="CLIPTextEncoder", model="scenes"),
    decode_head=dict(type="PixelTextHead"),
)
test_pipeline = [dict(type="LoadImageFromFile"), dict(type="mmseg.PackSegInputs")]
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with a config and two pictures, one of them rotated by EXIF, and the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(tmp_path / "photos" / "b.jpg", exif=exif)
    return tmp_path


def run(*arguments, capsys=None):
    return cli.main(["segment", *map(str, arguments), "--config", "config.py", "--device", "cpu"])


def test_overlay_labels_and_json(work, capsys):
    assert run("photos", "--classes", "ball, sky, grass", "--out", "out", "--json") == 0
    names = sorted(path.name for path in (work / "out").iterdir())
    assert names == ["a_labels.png", "a_segments.jpg", "b_labels.png", "b_segments.jpg", "segments.json"]
    labels = cv2.imread("out/b_labels.png", cv2.IMREAD_UNCHANGED)
    assert labels.shape == (64, 40) and labels.dtype == np.uint8 and labels.max() <= 2
    document = json.loads((work / "out" / "segments.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["photos/a.png", "photos/b.jpg"]
    assert [category["name"] for category in document["categories"]] == ["ball", "sky", "grass"]
    assert sum(item["area"] for item in document["annotations"] if item["image_id"] == 2) == 64 * 40
    assert "a.png" in capsys.readouterr().out


def test_more_than_255_classes_and_names_from_a_file(work):
    (work / "names.txt").write_text("\n".join(f"thing {index}" for index in range(300)))
    assert run("photos/a.png", "--classes", "names.txt", "--out", "out") == 0
    assert cv2.imread("out/a_labels.png", cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_background_and_templates(work, capsys):
    arguments = ("photos/a.png", "--classes", "ball, sky", "--templates", "plain", "--out", "out")
    assert run(*arguments, "--background", "threshold", "--threshold", "1") == 0
    assert (cv2.imread("out/a_labels.png", -1) == 0).mean() > 0.5  # hardly anything is certain
    assert run(*arguments, "--background", "wall, floor", "--json") == 0
    document = json.loads((work / "out" / "segments.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["background", "ball", "sky"]


def test_bad_pictures_are_listed_and_the_others_done(work, capsys):
    (work / "photos" / "c.png").write_bytes(b"not a picture")
    assert run("photos", "missing.jpg", "--classes", "ball, sky", "--out", "out") == 1
    shown = capsys.readouterr()
    assert "c.png is not an image" in shown.err and "no such file: missing.jpg" in shown.err
    assert "2 of 4 failed" in shown.err
    assert (work / "out" / "b_labels.png").is_file() and not (work / "out" / "c_labels.png").exists()
    assert run("missing.jpg", "--classes", "ball, sky", "--out", "out") == 2


def test_pictures_of_one_name_do_not_overwrite_each_other(work):
    (work / "more").mkdir()
    Image.new("RGB", (8, 8)).save(work / "more" / "a.jpg")
    assert run("photos/*.png", "more", "more/a.jpg", "--classes", "ball, sky", "--out", "out", "--no-legend") == 0
    assert sorted(path.name for path in (work / "out").glob("*_labels.png")) == ["a-2_labels.png", "a_labels.png"]
    Image.new("RGB", (8, 8)).save(work / "more" / "a-2.jpg")  # its own name is not given to another
    assert run("photos/*.png", "more", "--classes", "ball, sky", "--out", "three", "--no-legend") == 0
    names = sorted(path.name.removesuffix("_labels.png") for path in (work / "three").glob("*_labels.png"))
    assert names == ["a", "a-2", "a-3"]


MISTAKES = [
    (["--classes", "cat, cat"], "cat"),
    (["--classes", " , "], "class"),
    (["--classes", ""], "at least one class name"),
    ([], "--classes"),
    (["--classes", "cat", "--templates", "no slot here"], "no slot here"),
    (["--classes", "cat", "--checkpoint", "none.pth"], "no such checkpoint: none.pth"),
    (["--classes", "cat", "--out", "config.py/sub"], "cannot write into config.py/sub"),
    (["--classes", "names-that-are-not-there.txt"], "names-that-are-not-there.txt"),
    (["--classes", "cat", "--device", "cuda:99"], "cuda"),
    (["--classes", "cat", "--config", "photos/a.png"], "a config is a .py"),
    (["--classes", "cat", "--config", "unclosed.py"], "cannot read config unclosed.py: SyntaxError"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(case[0]) or "none" for case in MISTAKES])
def test_mistakes_are_one_line_and_exit_code_2(work, capsys, arguments, words):
    (work / "unclosed.py").write_text("model = dict(\n")
    arguments = ["segment", "photos/a.png", "--config", "config.py", *arguments]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and words in shown.err
    with pytest.raises(Exception, match=r"."):
        cli.main([*arguments, "--debug"])


def test_weights_that_are_out_of_reach(work, capsys):
    assert cli.main(["segment", "photos/a.png", "--classes", "cat", "--model", "ViT-B-16"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "lite" in shown and "scenes" in shown


def test_every_file_that_was_written_is_said(work, capsys):
    assert run("photos", "--classes", "ball, sky", "--out", "out", "--json") == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrote")]
    assert said == ["wrote out/a_labels.png", "wrote out/b_labels.png", "wrote out/segments.json"]
    paths = [work / f"{index}.txt" for index in range(9)]
    assert list_files([*paths, work / "x.json"]) == [f"9 .txt files in {work}", str(work / "x.json")]


def test_choices_are_those_of_the_apis():
    from ovdense.apis.label_files import FORMATS
    from ovdense.apis.regions import PROMPTS

    assert cli.FORMATS == FORMATS and cli.PROMPTS == PROMPTS


def test_regions_are_named_written_and_painted(work, capsys):
    words = ["--classes", "ball, sky", "--model", "scenes", "--device", "cpu"]
    files = ["--json", "names.json", "--plot", "names.png"]
    assert cli.main(["name-regions", "photos/a.png", "--boxes", "2,3,40,30", "0,0,64,40", *words, *files]) == 0
    regions = json.loads((work / "names.json").read_text())["regions"]
    assert [one["box"] for one in regions] == [[2, 3, 40, 30], [0, 0, 64, 40]]
    assert {name["name"] for name in regions[0]["names"]} == {"ball", "sky"}
    assert cv2.imread("names.png").shape[1] == 640  # small pictures are enlarged, so that names can be read
    assert "2,3,40,30: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["detect", "a.png", "--formats", "xml"],
        ["name-regions", "a.png", "--boxes", "0,0,1,1", "--classes", "a", "--prompt", "xx"],
        [],
        ["segment"],
        ["nonsense"],
        ["segment", "a.png", "--threshold", "7"],
        ["segment", "a.png", "--batch-size", "0"],
    ],
)
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2 and "usage: ovdense" in capsys.readouterr().err


def test_doctor(capsys):
    assert cli.main(["doctor"]) == 0
    assert "torch" in capsys.readouterr().out
