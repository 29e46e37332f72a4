"""The demo scripts run with the embedded model and write their pictures."""

import importlib.util
from pathlib import Path

import cv2
import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"


def load(name):
    spec = importlib.util.spec_from_file_location(name, DEMO / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_comparison_sheet_shows_the_methods_asked_for(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    load("compare").main(["--methods", "naclip", "maskclip", "--pamr", "--out", str(out)])
    height, width = cv2.imread(str(out)).shape[:2]
    assert width > 2 * 640 and height > 2 * 480
    printed = capsys.readouterr().out
    assert "naclip: " in printed and "maskclip: " in printed and "left out" not in printed
    with pytest.raises(SystemExit):
        load("compare").main(["--methods", "nothing"])


def test_heat_map_of_a_phrase_against_others(tmp_path, capsys):
    out = tmp_path / "heat.png"
    load("heatmap").main(["--phrase", "lime", "--against", "tiled floor", "--out", str(out)])
    assert cv2.imread(str(out)).shape[1] == 640
    low, high = (float(word) for word in capsys.readouterr().out.split(":")[1].split(",")[0].split(" to "))
    assert 0 <= low < high <= 1


def test_masks_of_another_tool_are_named(tmp_path, capsys):
    """Drawn things that nothing hides, their true masks and an empty one."""
    import json

    from PIL import Image

    from ovdense.datasets.scenes.det_dataset import encode_mask
    from ovdense.datasets.scenes.generator import SceneGenerator

    generator = SceneGenerator(classes=["apple", "car"], styles=["noto"], seed=5)
    scenes = (generator[index] for index in range(40))
    scene = next(one for one in scenes if len(one.objects) == 2 and all(thing.visible > 0.95 for thing in one.objects))
    masks = [scene.instances == thing.instance_id for thing in scene.objects]
    masks.append(masks[0] & False)
    Image.fromarray(scene.image).save(tmp_path / "scene.png")
    segmentations = [dict(segmentation=encode_mask(mask), predicted_iou=0.9) for mask in masks]
    (tmp_path / "masks.json").write_text(json.dumps(segmentations))
    out = tmp_path / "named.jpg"
    words = [str(tmp_path / "scene.png"), "--masks", str(tmp_path / "masks.json"), "--classes", "apple, car, guitar"]
    for model in (["--model", "scenes"], ["--config", "ovseg-regions_scenes_scenes-127-96"]):
        load("name_masks").main([*words, *model, "--out", str(out)])
        lines = capsys.readouterr().out.splitlines()
        names = [line.split(": ")[1] for line in lines if line[0].isdigit()]
        assert [name.split()[0] for name in names[:-1]] == [thing.name for thing in scene.objects]
        assert names[-1] == "no pixel" and lines[-1] == f"wrote {out}"
        assert cv2.imread(str(out)).shape[1] >= 640
