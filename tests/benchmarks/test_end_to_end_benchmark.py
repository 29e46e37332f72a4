import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "end_to_end.py"


def test_quick_run_reports_equal_labels(tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--classes", "7", "--no-memory", "--json", str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(out.read_text())
    (row,) = result["rows"]
    assert row["identical_labels"] == row["pixels"] == 100 * 160
    assert row["ratio"] > 0 and f"ratio {row['ratio']}" in done.stdout
