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
