import json

import pytest

from ovdense.apis import ConfigError
from ovdense.apis.bench import run_bench, table_of
from ovdense.cli import main


def test_tasks_run_one_after_the_other_and_stand_beside_chance(tmp_path, capsys):
    path = tmp_path / "bench.json"
    assert main(["bench", "--tasks", "semantic-48", "style", "detection", "--limit", "3", "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    rows = {row["task"]: row for row in report["results"]}
    assert set(rows) == {"semantic-48", "style", "detection"}
    assert all(row["scenes"] == 3 for row in rows.values())
    assert rows["semantic-48"]["mIoU"] > rows["semantic-48"]["chance"] > 0
    assert rows["detection"]["bbox_AP50"] > rows["detection"]["chance"]
    assert {"bbox_AP50_base", "bbox_AP50_novel", "segm_AP50"} <= set(rows["detection"])
    assert capsys.readouterr().out.strip() == table_of(report)


def test_unknown_tasks_are_named():
    with pytest.raises(ConfigError, match=r"semantic-48.*got depth"):
        run_bench(["depth"])
