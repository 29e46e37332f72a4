"""``ovdense data``: text, json and exit codes."""

import importlib.util
import json
from pathlib import Path

from ovdense import cli
from ovdense.datasets.doctor import dataset_names

SPEC = importlib.util.spec_from_file_location("miniatures", Path(__file__).parents[1] / "datasets/miniatures.py")
miniatures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(miniatures)


def test_list_has_every_data_set(capsys):
    assert cli.main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == dataset_names()
    assert any("data/cityscapes" in line and "19 classes" in line for line in lines)


def test_report_in_words_and_as_json(tmp_path, capsys):
    miniatures.write_miniature("coco-stuff", tmp_path)
    command = ["data", "doctor", "coco-stuff", str(tmp_path), "--split", "val"]
    assert cli.main([*command, "--json", str(tmp_path / "report.json")]) == 1
    shown = capsys.readouterr().out
    assert "error: val: 3 pictures, officially 5000" in shown and "NOT fit for use: 1 error, 0 warnings" in shown
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] is False and report["counts"]["error"] == 1 and report["facts"]["val"]["pictures"] == 3
    assert cli.main([*command, "--subset", "--sample", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["val"]["maps_opened"] == 3


def test_what_cannot_be_examined(tmp_path, capsys):
    assert cli.main(["data", "doctor", "voc12", str(tmp_path)]) == 2
    assert "no description of a data set named 'voc12'" in capsys.readouterr().err
    assert cli.main(["data", "doctor", "voc21", str(tmp_path / "none")]) == 2
    assert "no folder" in capsys.readouterr().err
