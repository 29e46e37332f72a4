import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "regionclip_tail.py"


def test_quick_run_reports_equal_scores(tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--regions", "12", "--classes", "9", "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    (row,) = json.loads(out.read_text())["rows"]
    assert row["largest_score_gap"] < 1e-5
    assert {"tail_ratio", "attnpool_ratio", "vocabulary_10k_ms"} <= set(row)
