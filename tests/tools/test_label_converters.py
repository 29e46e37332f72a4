"""Converters of label maps on miniature downloads: what they write, repeating, and missing files."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from mmseg.datasets import COCOStuffDataset, MapillaryDataset_v1
from PIL import Image
from scipy.io import savemat

from ovdense.datasets.label_conversion import by_name, convert_maps
from ovdense.models.vocabulary_files import load_vocabulary

TOOLS = Path(__file__).resolve().parents[2] / "tools/dataset_converters"


def tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray([values], np.uint8)).save(path)


def load(path):
    return np.asarray(Image.open(path))[0].tolist()


def test_cityscapes_gta5_and_acdc(tmp_path, capsys):
    city = tool("city_train_ids")
    ids = [0, 7, 8, 24, 33, 34, 255]
    save(tmp_path / "c/gtFine/val/ulm/ulm_1_gtFine_labelIds.png", ids)
    save(tmp_path / "g/labels/00001.png", ids)
    save(tmp_path / "a/gt/fog/val/x/x_gt_labelIds.png", ids)
    expected = [255, 0, 1, 11, 18, 255, 255]
    for name, root, target in (
        ("cityscapes", "c", "gtFine/val/ulm/ulm_1_gtFine_labelTrainIds.png"),
        ("gta5", "g", "labels/00001_labelTrainIds.png"),
        ("acdc", "a", "gt/fog/val/x/x_gt_labelTrainIds.png"),
    ):
        city.main([name, str(tmp_path / root)])
        assert load(tmp_path / root / target) == expected
        city.main([name, str(tmp_path / root)])
        assert "0 label maps written, 1 were there" in capsys.readouterr().out
    assert len(list((tmp_path / "g/labels").iterdir())) == 2  # its own results are no input
    with pytest.raises(SystemExit, match="no label maps of gta5"):
        city.main(["gta5", str(tmp_path / "c")])


def test_older_release_of_bdd100k(tmp_path):
    save(tmp_path / "seg/labels/val/a_train_id.png", [0, 18, 255])
    tool("city_train_ids").main(["bdd100k", str(tmp_path)])
    assert load(tmp_path / "labels/sem_seg/masks/val/a.png") == [0, 18, 255]


def test_both_mappings_of_mapillary(tmp_path):
    names = MapillaryDataset_v1.METAINFO["classes"]
    asked = ["Road", "Parking", "Manhole", "Street Light", "Traffic Sign (Back)", "Bicycle", "Unlabeled", "Curb"]
    save(tmp_path / "validation/v1.2/labels/a.png", [names.index(name) for name in asked])
    target = tmp_path / "validation/v1.2/labels_train_ids/a.png"
    city = tool("city_train_ids")
    city.main(["mapillary", str(tmp_path)])
    assert load(target) == [0, 0, 255, 5, 7, 18, 255, 1]
    city.main(["mapillary", str(tmp_path), "--mapping", "robustnet"])
    assert load(target)[1] == 0  # there already
    city.main(["mapillary", str(tmp_path), "--mapping", "robustnet", "--force"])
    assert load(target) == [0, 255, 0, 255, 255, 18, 255, 1]
    robustnet = {13: 0, 24: 0, 41: 0, 2: 1, 15: 1, 17: 2, 6: 3, 3: 4, 45: 5, 47: 5, 48: 6, 50: 7, 30: 8, 29: 9, 27: 10}
    robustnet |= {19: 11, 20: 12, 21: 12, 22: 12, 55: 13, 61: 14, 54: 15, 58: 16, 57: 17, 52: 18}
    table = city.table_for("mapillary", "robustnet")
    assert {old: int(new) for old, new in enumerate(table) if new != 255} == robustnet
    with pytest.raises(ValueError, match="no such classes: Moon"):
        by_name({"Moon": "road"}, ["Road"], ["road"])


def test_coco_stuff_follows_the_names(tmp_path):
    # Numbers of COCO-Stuff minus one: person, street sign (unused), stop sign, toothbrush, banner, wood, unlabelled.
    save(tmp_path / "annotations/val2017/1.png", [0, 11, 12, 89, 91, 181, 255])
    stuff = tool("coco_stuff")
    for _ in range(2):
        stuff.main([str(tmp_path), "--splits", "val2017"])
    found = load(tmp_path / "annotations/val2017/1_labelTrainIds.png")
    assert found == [0, 255, 11, 79, 80, 170, 255]
    classes = COCOStuffDataset.METAINFO["classes"]
    assert [classes[label] for label in found if label != 255] == [
        "person",
        "stop sign",
        "toothbrush",
        "banner",
        "wood",
    ]
    with pytest.raises(SystemExit, match=r"stuffthingmaps_trainval2017.zip"):
        stuff.main([str(tmp_path)])


def test_trainaug_of_voc(tmp_path, capsys):
    voc, sbd = tmp_path / "VOC2012", tmp_path / "sbd"
    lists = voc / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (sbd / "dataset/cls").mkdir(parents=True)
    (lists / "train.txt").write_text("own\n")
    (lists / "val.txt").write_text("val\n")
    (sbd / "dataset/train.txt").write_text("extra\nown\n")
    (sbd / "dataset/val.txt").write_text("val\nbefore\n")
    for name in ("own", "val"):
        save(voc / f"SegmentationClass/{name}.png", [0, 3, 255])
    for name in ("extra", "before", "own", "val"):
        inner = np.empty((1, 1), [("Segmentation", object)])
        inner[0, 0] = (np.array([[0, 7, 20]], np.uint8),)
        savemat(sbd / f"dataset/cls/{name}.mat", dict(GTcls=inner))
    converter = tool("voc_aug")
    for written in (4, 0):
        converter.main([str(voc), str(sbd)])
        assert f"{written} label maps written" in capsys.readouterr().out
    assert (lists / "trainaug.txt").read_text().split() == ["before", "extra", "own"]
    assert (lists / "aug.txt").read_text().split() == ["before", "extra"]
    assert load(voc / "SegmentationClassAug/extra.png") == [0, 7, 20]
    assert load(voc / "SegmentationClassAug/own.png") == [0, 3, 255]  # VOC's own map, with its border
    with pytest.raises(SystemExit, match="give the folder of VOC2012"):
        converter.main([str(tmp_path), str(sbd)])


def test_context_from_459_classes(tmp_path):
    voc, maps = tmp_path / "VOC2010", tmp_path / "trainval"
    (voc / "ImageSets/Main").mkdir(parents=True)
    maps.mkdir()
    for split, name in (("train", "b"), ("val", "a")):
        (voc / f"ImageSets/Main/{split}.txt").write_text(f"{name}\nwithout\n")
        savemat(maps / f"{name}.mat", dict(LabelMap=np.array([[1, 2, 9, 458, 459, 0]], np.uint16)))
    converter = tool("pascal_context")
    for _ in range(2):
        converter.main([str(voc), str(maps)])
    assert load(voc / "SegmentationClassContext/a.png") == [0, 1, 2, 59, 0, 0]
    assert (voc / "ImageSets/SegmentationContext/val.txt").read_text() == "a\n"
    assert len(converter.IDS) == 59 and list(converter.IDS) == sorted(converter.IDS)
    names = TOOLS / "pascal_context_459.txt"  # a name and its synonyms a line, where it is shipped
    if names.is_file():
        lines = names.read_text(encoding="utf-8").splitlines()
        words = [lines[number - 1].split(",")[0] for number in converter.IDS]
        classes = load_vocabulary("pascal-context-59").classes
        differing = [
            (name, word) for name, word in zip(classes, words) if name.replace(" ", "") != word.replace(" ", "")
        ]
        assert differing == [("light", "lamp"), ("wood", "wood piece")]
    (voc / "ImageSets/Main/val.txt").unlink()
    with pytest.raises(SystemExit, match=r"VOCtrainval_03-May-2010.tar"):
        converter.main([str(voc), str(maps)])


def test_zero_shot_labels(tmp_path):
    save(tmp_path / "labels/a.png", [0, 1, 15, 16, 20, 255])
    converter = tool("zero_shot_labels")
    converter.main([str(tmp_path / "labels"), str(tmp_path / "out"), "--split", "voc-15-5", "--reduce-zero"])
    assert load(tmp_path / "out/a.png") == [0, 1, 15, 255, 255, 255]
    table = converter.table_for("context-49-10", reduce_zero=False, renumber=True)
    assert table[:3].tolist() == [255, 0, 1] and table[58] == 48
    with pytest.raises(SystemExit, match="folder of their own"):
        converter.main([str(tmp_path / "labels"), str(tmp_path / "labels"), "--split", "voc-15-5"])


def test_crowd_points(tmp_path, capsys):
    inner = np.empty((1, 1), [("location", object), ("number", object)])
    inner[0, 0] = (np.array([[1.5, 2.0], [30.25, 4.0]]), np.array([[2]]))
    cell = np.empty((1, 1), object)
    cell[0, 0] = inner
    (tmp_path / "test_data/ground-truth").mkdir(parents=True)
    savemat(tmp_path / "test_data/ground-truth/GT_IMG_1.mat", dict(image_info=cell))
    converter = tool("crowd_points")
    for written in (1, 0):
        converter.main([str(tmp_path)])
        assert f"{written} files written" in capsys.readouterr().out
    content = json.loads((tmp_path / "test_data/ground-truth/GT_IMG_1.json").read_text())
    assert content == dict(points=[[1.5, 2.0], [30.25, 4.0]])


def test_nothing_half_is_left_and_bad_values_are_named(tmp_path):
    save(tmp_path / "a.png", [0, 9])
    pairs = [(tmp_path / "a.png", tmp_path / "out/a.png")]
    with pytest.raises(ValueError, match=r"a.png holds 9, known are values up to 3"):
        convert_maps(pairs, np.zeros(4, np.uint8))
    assert not (tmp_path / "out").exists()
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a picture of colours"):
        convert_maps(pairs, np.zeros(256, np.uint8))
