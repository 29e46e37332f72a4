import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "pamr.py"


def test_quick_run_reports_equal_labels(tmp_path):
    out, table = tmp_path / "result.json", tmp_path / "table.csv"
    command = [sys.executable, str(SCRIPT), "--quick", "--classes", "9", "40", "--no-memory"]
    subprocess.run([*command, "--json", str(out), "--csv", str(table)], check=True, capture_output=True)
    rows = json.loads(out.read_text())["rows"]
    assert [row["classes"] for row in rows] == [9, 40]
    assert all(row["differing"] <= 2 and row["largest_gap"] < 1e-5 for row in rows)
    assert len(table.read_text().splitlines()) == 3
