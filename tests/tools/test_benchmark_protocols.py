"""Published configs through tools/test.py on miniature data in the official folders, with the embedded CLIP.

One template for 80: the text tower would take most of the time. That it is said is part of the test.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
STEMS = ("a", "b")
# config -> (what the line of the protocol must say, values that the label maps hold)
CASES = {
    "sclip_vit-b16_voc21-336": (
        "sclip (SCLIP family) on VOC21Dataset, 2 pictures, backbone scenes/, attention qq+kk, short side 336, window "
        "224/112, scale 65, prob threshold 0.1, area threshold 0.1, templates single, names voc-sclip-21 (56 "
        "phrases of 21 classes), background by 26 names, mIoU present_only=False",
        (0, 1, 8, 15, 255),
    ),
    "naclip_vit-b16_context60-336": (
        "naclip (SCLIP family) on Context60Dataset, 2 pictures, backbone scenes/, attention kk+gaussian, short side "
        "336, window 224/112, scale 40, prob threshold 0.1, templates single, names pascal-context-sclip-60 (60 "
        "phrases of 60 classes), background by the name 'background', mIoU present_only=False",
        (0, 1, 30, 59),
    ),
    "clearclip_vit-b16_coco-object-448": (
        "clearclip (SCLIP family) on COCOObjectDataset, 2 pictures, backbone scenes/, attention qq, short side 448, "
        "window 448/224, scale 50, prob threshold 0.4, templates single, names coco-object-clearclip-81 (81 "
        "phrases of 81 classes), background by the name 'background', mIoU present_only=False",
        (0, 16, 89, 91, 255),
    ),
    "maskclip_vit-b16_cityscapes-448": (
        "tcl (TCL family) on Cityscapes19Dataset, 2 pictures, backbone scenes/, attention value, short side 448, "
        "window 448/224, scale 100, no prob threshold, templates single, names cityscapes-19 (19 phrases of 19 "
        "classes), no background policy, mIoU present_only=False",
        (0, 8, 13, 255),
    ),
}


def load(path):
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


def miniature(root, config, values):
    """Two pictures of unequal shape with blocks of the values as labels; gives the label map of each stem."""
    draw = np.random.default_rng(0)
    labels = {}
    for stem, (height, width) in zip(STEMS, ((48, 64), (56, 40))):
        image = draw.integers(0, 255, (height, width, 3))
        label = draw.choice(values, (height // 8, width // 8)).repeat(8, 0).repeat(8, 1)
        if "cityscapes" in config:
            write(root / f"leftImg8bit/val/town/{stem}_leftImg8bit.png", image)
            path = write(root / f"gtFine/val/town/{stem}_gtFine_labelTrainIds.png", label)
        elif "coco-object" in config:
            write(root / f"images/val2017/{stem}.jpg", image)
            write(root / f"annotations/val2017/{stem}.png", label)
            path = root / f"annotations/val2017/{stem}_instanceTrainIds.png"
        else:
            context = "Context" if "context" in config else ""
            write(root / f"JPEGImages/{stem}.jpg", image)
            path = write(root / f"SegmentationClass{context}/{stem}.png", label)
            split = root / f"ImageSets/Segmentation{context}/val.txt"
            split.parent.mkdir(parents=True, exist_ok=True)
            split.write_text("\n".join(STEMS))
        labels[stem] = path
    if "coco-object" in config:
        load(ROOT / "tools/dataset_converters/coco_object.py").main([str(root)])
    return labels


def mean_iou(labels, predictions, classes):
    """mIoU in %, by counting; classes that occur nowhere do not count."""
    scores = []
    for index in range(classes):
        both = [(label == index, (found == index) & (label != 255)) for label, found in zip(labels, predictions)]
        union = sum(int((wanted | found).sum()) for wanted, found in both)
        if union:
            scores.append(sum(int((wanted & found).sum()) for wanted, found in both) / union)
    return 100 * np.mean(scores)


@pytest.mark.parametrize("config", CASES)
def test_a_published_config_scores_miniature_data(config, tmp_path):
    line, values = CASES[config]
    files = miniature(tmp_path / "data", config, values)
    metrics = load(ROOT / "tools" / "test.py").main(
        [
            *(f"{config}.py", "none", "--backbone", "scenes", "--work-dir", str(tmp_path / "work")),
            *("--out", str(tmp_path / "found"), "--cfg-options", "model.vocabulary.templates=single"),
            f"test_dataloader.dataset.data_root={tmp_path / 'data'}",
            *("test_dataloader.num_workers=0", "test_dataloader.persistent_workers=False"),
        ]
    )
    labels = [np.asarray(Image.open(path)) for path in files.values()]
    found = [np.asarray(Image.open(next((tmp_path / "found").glob(f"{stem}*.png")))) for stem in STEMS]
    written = json.loads(next((tmp_path / "work").rglob("2*.json")).read_text())
    assert [item.shape for item in found] == [item.shape for item in labels]
    assert metrics["mIoU"] == pytest.approx(mean_iou(labels, found, written["protocol"]["classes"]), abs=0.01)
    assert written["mIoU"] == metrics["mIoU"] and written["protocol"]["changed"] == ["templates"]
    log = next((tmp_path / "work").rglob("2*.log")).read_text()
    (said,) = [text.split("protocol: ", 1)[1] for text in log.splitlines() if "INFO - protocol: " in text]
    digest = written["protocol"]["backbone"].removeprefix("scenes/")
    assert said.replace(digest, "", 1) == f"{line}, CHANGED from the protocol: templates"


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"^error: no .*JPEGImages: VOC21Dataset needs PASCAL VOC 2012"):
        load(ROOT / "tools" / "test.py").main(
            [
                *("sclip_vit-b16_voc21-336", "none", "--backbone", "scenes", "--work-dir", str(tmp_path / "work")),
                *("--cfg-options", f"test_dataloader.dataset.data_root={tmp_path / 'nothing'}"),
            ]
        )


def test_a_refused_backbone_is_one_line():
    with pytest.raises(SystemExit, match=r"^error: 'RN50' cannot run this config's method: a ResNet has one"):
        load(ROOT / "tools" / "test.py").main(["gem_vit-b16_voc20-448", "none", "--backbone", "RN50:openai"])
