"""The benchmark runs on small sizes, compares labels and writes its results."""

import csv
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_quick_run_writes_json_and_csv(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "upsample_argmax.py"), "--quick", "--classes", "20", "50"]
    command += ["--kinds", "white", "cosine", "--no-memory", "--json", "out.json", "--csv", "out.csv"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    printed = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    result = json.loads((tmp_path / "out.json").read_text())
    assert [row["classes"] for row in result["rows"]] == [20, 20, 50, 50]
    assert all(row["differing"] == 0 for row in result["rows"])
    assert printed.count("ratio") == 4
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {"date", "hardware", "commit", "ratio"} <= set(rows[0])
