"""ADE20K-847 and PASCAL Context 459: official layouts, 16-bit labels through loading, metric and drawn pictures."""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from scipy.io import savemat

from ovdense.evaluation import GroupedIoUMetric
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools" / "dataset_converters"
REAL = Path("/work/shared/real/ade20k_samples/full2021")


def load_tool(name):
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module


def dataset_of(name, root):
    config = Config.fromfile(ROOT / "configs" / "_base_" / "datasets" / f"{name}.py").test_dataloader.dataset
    pipeline = [dict(type="LoadImage"), dict(type="LoadAnnotations")]
    with DefaultScope.overwrite_default_scope("ovdense"):
        return DATASETS.build(dict(config, data_root=str(root), pipeline=pipeline))


def ade_colours(numbers):
    """(H,W,3) as ADE20K stores the numbers of classes: red in steps of ten, green; blue tells objects apart."""
    numbers = np.asarray(numbers)
    return np.stack([numbers // 256 * 10, numbers % 256, numbers * 7 % 256], axis=-1).astype(np.uint8)


@pytest.fixture
def ade(tmp_path):
    """Two pictures of the validation split, in the official folders, converted."""
    folder = tmp_path / "images/ADE/validation/urban/street"
    folder.mkdir(parents=True)
    # wall, building, 256th class, the last class, a number without a class, none
    numbers = [[2978, 312, 257, 3148, 1, 0]]
    for name in ("ADE_val_00000001", "ADE_val_00000002"):
        Image.fromarray(np.zeros((1, 6, 3), np.uint8)).save(folder / f"{name}.jpg")
        Image.fromarray(ade_colours(numbers)).save(folder / f"{name}_seg.png")
        Image.fromarray(ade_colours(numbers)).save(folder / f"{name}_parts_1.png")
    tool = load_tool("ade20k_full")
    tool.main([str(tmp_path)])
    return tmp_path


def test_ade20k_full_becomes_847_classes(ade, capsys):
    maps = sorted((ade / "annotations_847").rglob("*.png"))
    assert [path.relative_to(ade / "annotations_847").as_posix() for path in maps] == [
        f"validation/urban/street/ADE_val_0000000{number}.png" for number in (1, 2)
    ]
    with Image.open(maps[0]) as image:
        assert image.mode.startswith("I") and np.asarray(image).tolist() == [[0, 1, 65535, 846, 65535, 65535]]
    load_tool("ade20k_full").main([str(ade)])  # what is there already stays
    assert "0 label maps written" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"no \*_seg\.png"):
        load_tool("ade20k_full").main([str(ade), "--splits", "training"])


def test_the_dataset_says_which_label_is_ignored(ade):
    data = dataset_of("ade20k-847", ade)
    assert len(data) == 2 and len(data.metainfo["classes"]) == 847 == len({*map(tuple, data.metainfo["palette"])})
    assert data.ignore_index == data.metainfo["ignore_index"] == data[0]["ignore_index"] == 65535
    assert data[0]["gt_seg_map"].tolist() == [[0, 1, 65535, 846, 65535, 65535]]


def test_label_255_is_a_class_and_65535_is_not(ade):
    metric = GroupedIoUMetric(iou_metrics=["mIoU"], present_only=True)
    metric.dataset_meta = dataset_of("ade20k-847", ade).metainfo
    truth, found = torch.tensor([[[0, 255, 255, 846, 65535, 65535]]]), torch.tensor([[[0, 255, 300, 846, 846, 5]]])
    metric.process({}, [dict(pred_sem_seg=dict(data=found.int()), gt_sem_seg=dict(data=truth))])
    figures = metric.compute_metrics(metric.results)
    # IoU of class 0 is 1, of 255 1/2, of 846 1; class 300 has no true pixel.
    assert figures["mIoU"] == pytest.approx(100 * 2.5 / 3, abs=0.01)
    metric.present_only = False
    assert metric.compute_metrics(metric.results)["mIoU"] == pytest.approx(100 * 2.5 / 4, abs=0.01)


def test_the_numbers_of_the_847_classes_are_those_of_the_index():
    numbers = load_tool("large_vocabularies").full_names()
    assert len(numbers) == 847 and list(numbers)[:3] == [2978, 312, 2420] and list(numbers)[-1] == 3148
    alphabet = [numbers[number].split(",")[0] for number in sorted(numbers) if number < 3099]
    assert all(a.split()[0] <= b.split()[0] for a, b in itertools.pairwise(alphabet))


@pytest.mark.skipif(not REAL.is_dir(), reason="no real files of ADE20K here")
def test_real_files_hold_the_objects_that_their_json_names(tmp_path):
    tool = load_tool("ade20k_full")
    tool.convert(REAL, tmp_path)
    names, seen = tool.full_names(), 0
    for path in sorted(REAL.glob("*_seg.png")):
        with Image.open(path) as image:
            numbers = tool.class_numbers(np.asarray(image.convert("RGB")))
        objects = json.loads(path.with_name(path.name.replace("_seg.png", ".json")).read_text(encoding="latin-1"))
        named = {one["name_ndx"]: one["name"] for one in objects["annotation"]["object"]}
        assert set(np.unique(numbers).tolist()) <= {0, *named}
        labels = np.asarray(Image.open(tmp_path / path.name.replace("_seg.png", ".png")))
        classes = load_vocabulary("ade20k-847").classes
        for label in set(np.unique(labels).tolist()) - {65535}:
            (number,) = np.unique(numbers[labels == label])
            assert classes[label] == named[number] == names[number]
            seen += 1
    assert seen > 20


def test_pascal_context_becomes_459_classes(tmp_path):
    (tmp_path / "trainval").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    savemat(tmp_path / "trainval/2008_000002.mat", dict(LabelMap=np.array([[1, 256, 459, 0]], np.uint16)))
    (tmp_path / "labels.txt").write_text("0: empty\n1: accordion\n459: wool\n")
    tool = load_tool("pascal_context_459")
    tool.main([str(tmp_path)])
    Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(tmp_path / "JPEGImages/2008_000002.jpg")
    (tmp_path / "ImageSets/SegmentationContext").mkdir(parents=True)
    (tmp_path / "ImageSets/SegmentationContext/val.txt").write_text("2008_000002\n")
    data = dataset_of("context459", tmp_path)
    assert data[0]["gt_seg_map"].tolist() == [[0, 255, 458, 65535]] and data.metainfo["classes"][458] == "wool"
    (tmp_path / "labels.txt").write_text("1: wool\n")
    with pytest.raises(SystemExit, match=r"1 names of .*'wool' is 1, here 'accordion'"):
        tool.main([str(tmp_path)])
    savemat(tmp_path / "trainval/b.mat", dict(LabelMap=np.array([[460]], np.uint16)))
    with pytest.raises(SystemExit, match="classes 460 to 460"):
        tool.convert(tmp_path / "trainval", tmp_path / "SegmentationClassContext459")


def test_the_lists_are_as_long_as_the_official_ones():
    counts = {"ade20k-847": (847, 847), "ade20k-fcclip-847": (847, 1341), "pascal-context-459": (459, 459)}
    counts |= {
        "pascal-context-fcclip-459": (459, 559),
        "voc-catseg-21": (21, 59),
        "pascal-context-fcclip-59": (59, 160),
    }
    counts |= {"coco-fcclip-133": (133, 254), "voc-fcclip-21": (21, 151), "voc-fcclip-20": (20, 79)}
    for name, count in counts.items():
        vocabulary = load_vocabulary(name)
        assert (vocabulary.num_classes, vocabulary.num_phrases) == count, name
    assert load_vocabulary("ade20k-fcclip-847").phrases[72][:2] == ("stove", "kitchen stove")
    assert load_vocabulary("ade20k-847").phrases[255] == ("pier",)


@pytest.mark.parametrize("name", ["ade20k-847", "context459"])
def test_a_missing_folder_is_said_with_the_remedy(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*Dataset needs .*tools/dataset_converters/.*\.py"):
        dataset_of(name, tmp_path)


def test_847_classes_through_the_test_tool(ade, tmp_path):
    """Prediction, metric and drawn pictures, with the embedded CLIP in place of a large one."""
    spec = importlib.util.spec_from_file_location("tool_test", ROOT / "tools" / "test.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    config = tmp_path / "many.py"
    parts = ("models/clip_seg", "backbones/scenes", "datasets/ade20k-847", "default_runtime_seg")
    config.write_text(
        f"_base_ = {[str(ROOT / 'configs' / '_base_' / f'{part}.py') for part in parts]}\n"
        "steps = [dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'mmseg.PackSegInputs')]\n"
        "clip = dict(model='scenes', pretrained=None)\n"
        "model = dict(vocabulary='ade20k-847', backbone=dict(attention='value', **clip), text_encoder=clip,\n"
        "             decode_head=dict(type='MaskCLIPHead'))\n"
        f"data = dict(data_root={str(ade)!r}, pipeline=steps)\n"
        "test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)\n"
        "val_dataloader = test_dataloader\n"
    )
    for path in ade.rglob("*.jpg"):  # pictures that a backbone can look at
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 60, 3), dtype=np.uint8)).save(path)
    for path in (ade / "annotations_847").rglob("*.png"):
        Image.fromarray(np.tile(np.array([[0, 846, 255, 65535]], np.uint16), (48, 15))).save(path)
    arguments = [str(config), "none", "--work-dir", str(tmp_path / "out"), "--show-dir", str(tmp_path / "pictures")]
    metrics = tool.main(arguments)
    assert 0 <= metrics["mIoU"] <= 100 and metrics["aAcc"] >= 0
    assert len(list((tmp_path / "pictures").glob("*.jpg"))) == 2
