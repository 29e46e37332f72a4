"""The doctor of data sets: whole miniatures pass, and each fault is named with its remedy."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovdense.datasets.doctor import dataset_names, examine, load_description
from ovdense.datasets.doctor.descriptions import KINDS, parse_values
from ovdense.datasets.doctor.files import Pattern, spread

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("miniatures", ROOT / "tests/datasets/miniatures.py")
miniatures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(miniatures)
REAL = Path("/work/shared/real")


def found(report, level=None):
    return {(one.part, one.check) for one in report.findings if level is None or one.level == level}


@pytest.mark.parametrize("name", dataset_names())
def test_descriptions_are_whole_and_miniatures_pass(name, tmp_path):
    description = miniatures.write_miniature(name, tmp_path)
    assert description["title"] and description["home"].startswith("http") and description["get"]
    for part in description["parts"]:
        assert part["kind"] in KINDS
    report = examine(name, tmp_path, subset=True)
    serious = [str(one) for one in report.findings if one.level == "error"]
    assert serious == [] and report.ok
    warnings = {one.check for one in report.of("warning")}
    assert warnings <= {"size"}  # miniatures have not the official size
    facts = report.facts[description["parts"][-1]["name"]]
    assert 3 in facts.values()
    json.dumps(report.to_dict())


def test_counts_are_the_official_ones_unless_a_subset_is_wanted(tmp_path):
    miniatures.write_miniature("ade20k-150", tmp_path)
    strict = examine("ade20k-150", tmp_path)
    assert not strict.ok and found(strict, "error") == {("train", "count"), ("val", "count")}
    assert "3 pictures, officially 2000" in str(strict.of("error")[1])
    assert examine("ade20k-150", tmp_path, subset=True).ok


def labels_of(name, root, part="val"):
    description = load_description(name)
    pattern = next(one["labels"] for one in description["parts"] if one["name"] == part)
    return sorted(Pattern(pattern).find(root).values())


SHIFTS = [
    ("ade20k-150", lambda labels: labels - 1, "zero was reduced already"),  # 0 -> 255 in uint8
    ("coco-stuff", lambda labels: np.where(labels == 170, 181, labels), "ids of the download"),
    ("cityscapes", lambda labels: np.where(labels == 18, 33, labels), "labelIds"),
    ("acdc", lambda labels: np.where(labels == 0, 24, labels), "labelIds"),
    ("mapillary", lambda labels: np.where(labels == 65, 120, labels), "v2.0"),
    ("context60", lambda labels: np.where(labels == 1, 200, labels), "459 classes"),
    ("voc21", lambda labels: np.where(labels == 3, 128, labels), "values above 20"),
    ("coco-object", lambda labels: np.where(labels == 3, 255, labels), "background (0)"),
    ("camvid", lambda labels: np.where(labels == 11, 255, labels), "32 original classes"),
]


@pytest.mark.parametrize(("name", "change", "words"), SHIFTS, ids=[shift[0] for shift in SHIFTS])
def test_shifted_labels_are_told_with_the_remedy(name, change, words, tmp_path):
    description = miniatures.write_miniature(name, tmp_path)
    for part in {"val", "test", "val-fog"} & {one["name"] for one in description["parts"]}:
        for path in labels_of(name, tmp_path, part):
            miniatures.save_labels(path, change(np.asarray(Image.open(path))))
    report = examine(name, tmp_path, subset=True)
    shifts = [one for one in report.of("error") if one.check == "label_shift"]
    assert shifts and all(words in one.what and one.remedy and "{" not in one.remedy for one in shifts)
    assert {one.check for one in report.of("error")} == {"label_shift"}


def test_border_and_common_classes_need_enough_maps(tmp_path):
    miniatures.write_miniature("voc21", tmp_path, pictures=20)
    for path in labels_of("voc21", tmp_path):
        labels = np.asarray(Image.open(path))
        miniatures.save_labels(path, np.where(labels == 255, 1, labels))
    report = examine("voc21", tmp_path, parts=["val"], subset=True)
    assert report.ok and found(report, "warning") == {("val", "label_shift"), ("val", "void_share")}
    words = " ".join(one.what for one in report.of("warning"))
    assert "no border (255)" in words and "the common classes 0 have" in words


def test_files_that_do_not_fit(tmp_path):
    miniatures.write_miniature("cityscapes", tmp_path, pictures=6)
    images = sorted((tmp_path / "leftImg8bit/val").iterdir())
    labels = labels_of("cityscapes", tmp_path)
    images[0].unlink()
    labels[1].unlink()
    labels[2].write_bytes(b"")
    Image.new("L", (5, 5)).save(labels[3])
    Image.new("RGB", miniatures.SIZE).save(labels[4])
    images[5].write_bytes(images[4].read_bytes())
    report = examine("cityscapes", tmp_path, parts=["val"], subset=True)
    checks = {one.check: one for one in report.findings if one.level != "note"}
    assert set(checks) == {"pairs", "empty", "unreadable", "size", "bit_depth", "duplicates"}
    pairs = [one.what for one in report.of("error") if one.check == "pairs"]
    assert pairs == ["1 of 5 pictures have no labels", "1 of 5 label files have no picture"]
    assert checks["bit_depth"].examples == (f"{labels[4].name} (RGB)",)
    assert checks["duplicates"].examples == (f"{images[4].name} = {images[5].name}",)


def test_deep_maps_and_strange_ids(tmp_path):
    miniatures.write_miniature("gta5", tmp_path)
    path = labels_of("gta5", tmp_path, "train")[0]
    Image.fromarray(np.full(miniatures.SIZE[::-1], 300, np.uint16)).save(path)
    report = examine("gta5", tmp_path, subset=True)
    assert ("train", "bit_depth") in found(report, "warning")
    strange = next(one for one in report.of("error") if one.check == "id_range")
    assert "300" in strange.what and strange.examples == (path.name,)


def test_split_lists(tmp_path):
    miniatures.write_miniature("voc21", tmp_path)
    lists = tmp_path / "ImageSets/Segmentation"
    (lists / "val.txt").write_text("val_0\nval_0\n\nlost 1\ntrain_1\n")
    report = examine("voc21", tmp_path, subset=True)
    said = {one.what for one in report.findings if one.check == "split_list"}
    assert said == {
        "1 empty lines in val.txt",
        "1 names twice in val.txt",
        "1 lines of val.txt hold more than a name",
        "1 of 3 pictures of the split list are not there",
        "1 pictures are in train and in val",
    }
    (lists / "val.txt").unlink()
    assert found(examine("voc21", tmp_path, parts=["val"])) == {("val", "split_list")}


def test_instances(tmp_path):
    miniatures.write_miniature("lvis", tmp_path)
    path = tmp_path / "annotations/lvis_v1_val.json"
    content = json.loads(path.read_text())
    content["annotations"][0].update(bbox=[8, 1, 9, 3], segmentation=[[1, 1, 2, 2]])
    content["annotations"][1]["bbox"] = [1, 1, 0, 3]
    content["annotations"][2].update(category_id=5000, iscrowd=1)
    del content["images"][0]["neg_category_ids"]
    content["images"][1].update(width=99)
    content["images"].append(dict(content["images"][0], id=9, coco_url="http://c/val2017/9.jpg"))
    content["categories"] = content["categories"][:1000]
    path.write_text(json.dumps(content))
    report = examine("lvis", tmp_path, parts=["val"])
    words = " | ".join(f"{one.level}: {one.what}" for one in report.findings)
    for part in (
        "warning: 1 boxes outside their picture",
        "warning: 1 boxes that are not",
        "error: 1 annotations of unknown classes",
        "warning: 1 annotations with polygons",
        "warning: 1 crowds with polygons",
        "error: 2 pictures lack neg_category_ids",
        "error: 1000 categories, officially 1203",
        "error: 203 of the 1203 classes of lvis-1203 are not in the file",
        "error: 1 of 4 pictures are not in",
        "error: 1 pictures have another size than the file says",
    ):
        assert part in words, part


def test_panoptic_maps(tmp_path):
    miniatures.write_miniature("coco-panoptic", tmp_path)
    maps = tmp_path / "annotations/panoptic_val2017"
    Image.new("L", miniatures.SIZE).save(maps / "val_001.png")
    pixels = np.array(Image.open(maps / "val_002.png"))
    pixels[pixels[..., 1] == 1] = (5, 0, 0)  # segment 300 (44 + 256) becomes 5
    Image.fromarray(pixels).save(maps / "val_002.png")
    (maps / "val_003.png").unlink()
    report = examine("coco-panoptic", tmp_path, parts=["val"], subset=True)
    said = {one.what: one.examples for one in report.of("error")}
    assert len(said) == 4 and ("val_003.png",) in said.values()
    assert said["1 PNGs lack segments of the json"] == ("val_002.png",)
    assert said["1 PNGs have ids that the json does not list"] == ("val_002.png",)
    assert said["1 panoptic PNGs cannot be read or have no three colours"] == ("val_001.png",)


def test_points_and_heat_maps(tmp_path):
    miniatures.write_miniature("shanghaitech-a", tmp_path / "a", pictures=2)
    report = examine("shanghaitech-a", tmp_path / "a", subset=True)
    assert report.facts["test"]["people"] == 4
    miniatures.save_picture(tmp_path / "a/test_data/images/IMG_1.jpg", size=(2, 2))
    assert found(examine("shanghaitech-a", tmp_path / "a", subset=True), "error") == {("test", "points")}
    miniatures.write_miniature("agd20k", tmp_path / "b")
    heat = sorted((tmp_path / "b/Seen/testset/GT").rglob("*.png"))[0]
    miniatures.save_labels(heat, np.zeros(miniatures.SIZE[::-1]))
    report = examine("agd20k", tmp_path / "b")
    assert report.facts["seen"]["affordances"] == 2 and found(report, "warning") == {("seen", "void_share")}


def test_the_right_folder_is_named(tmp_path):
    miniatures.write_miniature("ade20k-150", tmp_path / "ADEChallengeData2016")
    for wrong, right in ((tmp_path, "ADEChallengeData2016"), (tmp_path / "ADEChallengeData2016/images", "give ")):
        report = examine("ade20k-150", wrong)
        assert not report.ok and right in report.findings[0].remedy and "instead" in report.findings[0].remedy
    with pytest.raises(FileNotFoundError, match=r"no folder .*ADEChallengeData2016.zip"):
        examine("ade20k-150", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="did you mean cityscapes"):
        examine("cityscape", tmp_path)
    with pytest.raises(ValueError, match="splits train, val"):
        examine("ade20k-150", tmp_path, parts=["test"])


def test_absent_splits_are_noted_and_samples_are_spread(tmp_path):
    miniatures.write_miniature("coco-stuff", tmp_path, pictures=5)
    for folder in ("images/train2017", "annotations/train2017"):
        for path in (tmp_path / folder).iterdir():
            path.unlink()
    report = examine("coco-stuff", tmp_path, sample=2, subset=True)
    assert found(report, "note") >= {("train", "files")} and report.facts["val"]["maps_opened"] == 2
    assert spread(list(range(10)), 3) == [0, 3, 6] and spread([1, 2], None) == [1, 2]
    assert parse_values("0-2,255") == {0, 1, 2, 255} and parse_values("") == frozenset()


@pytest.mark.skipif(not REAL.is_dir(), reason="real samples are not on this machine")
def test_real_samples():
    report = examine("camvid", REAL / "camvid", subset=True)
    assert report.ok and not report.of("warning") and report.facts["test"]["classes_seen"] == 11
    assert 0.02 < report.facts["train"]["void_share"] < 0.06
