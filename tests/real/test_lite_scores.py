"""The shipped photo model on the first measured COCO photos and CamVid frames, held to 80 % of what was measured."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "analysis_tools"
MEASURED = dict(  # --half measured --limit 6 --step 4
    crops=dict(class_mean=57.1, top1=60.0),
    coco=dict(mIoU=17.3, aAcc=50.8),
    present=dict(mIoU=25.7, aAcc=68.9),
    camvid=dict(mIoU=20.7, aAcc=52.4),
)


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("lite_figures", FOLDER / "lite_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_scores_on_photos_and_frames(tool, real, monkeypatch, capsys, tmp_path):
    folders = ["--coco", str(real("coco128")), "--camvid", str(real("camvid")), "--cache", str(tmp_path)]
    settings = ["--half", "measured", "--limit", "6", "--step", "4"]
    monkeypatch.setattr(sys, "argv", ["lite_figures.py", *folders, *settings])
    with torch.no_grad():
        tool.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    for test, figures in MEASURED.items():
        for name, figure in figures.items():
            assert found[test][name] > 0.8 * figure, (test, name, found[test])
