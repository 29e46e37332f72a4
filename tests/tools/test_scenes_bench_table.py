"""The figures in docs/scenes_benchmark.md: those of the report, of the shipped weights, for every task and model."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from ovdense.apis.provenance import weights_digest
from ovdense.datasets.scenes import fixed_names, load_fixed_scenes
from ovdense.datasets.scenes.sprites import ATLAS

ROOT = Path(__file__).resolve().parents[2]
REMEDY = "measure again: ovdense bench --json benchmarks/results/scenes_bench.json, then scenes_bench_table.py"


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "analysis_tools" / "scenes_bench_table.py"
    spec = importlib.util.spec_from_file_location("scenes_bench_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_report(tool, capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().out


def test_the_report_holds_every_task_and_model_at_full_length(tool):
    report, table = json.loads(tool.REPORT.read_text()), json.loads((ATLAS / "bench.json").read_text())
    wanted = [(task, row["model"], row["config"]) for row in table["models"] for task in row["tasks"]]
    assert [(row["task"], row["model"], row["config"]) for row in report["results"]] == wanted, REMEDY
    assert report["limit"] is None and {row["task"] for row in report["results"]} == set(table["tasks"])


def test_the_report_belongs_to_the_shipped_weights(tool):
    rows = json.loads(tool.REPORT.read_text())["results"]
    digests = {name: digest for row in rows for name, digest in row["weights_sha256"].items()}
    assert {"scenes", "scenes_proposals"} <= set(digests)
    assert digests == {name: weights_digest(name) for name in digests}, REMEDY


def test_the_page_describes_every_task_and_subset(tool):
    page = tool.PAGE.read_text(encoding="utf-8")
    tasks = json.loads((ATLAS / "bench.json").read_text())["tasks"]
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \| `[a-z]+` \| `scenes-", page, flags=re.M)) == set(tasks)
    sizes = dict(re.findall(r"^\| `([a-z]+)` \| (\d+) \| ", page, flags=re.M))
    assert sizes == {name: str(len(load_fixed_scenes(name))) for name in fixed_names()}


def test_tables_by_hand(tool, tmp_path):
    rows = [
        dict(task="a", model="m", config="c", scenes=3, chance=dict(mIoU=0.5), mIoU=9.0),
        dict(task="p", model="m", config="d", scenes=2, chance=dict(PQ=0.7), PQ=8.0, SQ=70.0),
    ]
    ratio = dict(task="a", to="b", model="m", config="c", mIoU=25.0)
    report = dict(results=rows, ratios=[ratio], versions=dict(ovdense="1", torch="2"), git={})
    text = tool.tables_of(report)
    assert "| task | config | scenes | mIoU |\n| --- | --- | --- | --- |\n| a | `c` | 3 | 9.0 (0.5) |" in text
    assert "| p | `d` | 2 | 8.0 (0.7) | 70.0 |" in text and "AP50" not in text
    assert "`c`: `a` reaches of `b`: mIoU 25.0 %." in text and text.endswith("ovdense 1, torch 2.")
    page, figures = tmp_path / "page.md", tmp_path / "report.json"
    page.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    figures.write_text(json.dumps(report))
    arguments = [str(figures), "--page", str(page)]
    assert tool.main([*arguments, "--check"]) == 1
    assert tool.main(arguments) == 0 and tool.main([*arguments, "--check"]) == 0
    assert page.read_text() == f"before\n{tool.BEGIN}\n\n{text}\n\n{tool.END}\nafter\n"
    with pytest.raises(ValueError, match="needs one line"):
        tool.with_figures("no marks", report)
