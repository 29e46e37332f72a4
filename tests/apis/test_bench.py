import json

import pytest
from mmengine.config import Config

from ovdense.apis import ConfigError
from ovdense.apis.bench import main_figure, ratios_of, run_bench, table_of
from ovdense.apis.provenance import config_digest, weight_digests, weights_digest
from ovdense.cli import main
from ovdense.version import __version__


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The clip alone on a few scenes of segmentation, and the other models of the shipped table on theirs."""
    from ovdense.apis.bench import ATLAS

    table = json.loads((ATLAS / "bench.json").read_text())
    rows = [row for row in table["models"] if not row["config"].startswith("maskclip_scenes_regions")]
    path = tmp_path_factory.mktemp("bench") / "table.json"
    path.write_text(json.dumps({**table, "models": rows}))
    return run_bench(["semantic-48", "synonyms", "synonyms-by-name", "detection", "panoptic"], limit=4, table=path)


def test_tasks_run_one_after_the_other_and_stand_beside_chance(small):
    rows = {row["task"]: row for row in small["results"]}
    assert list(rows) == ["semantic-48", "synonyms-by-name", "synonyms", "detection", "panoptic"]
    assert all(row["scenes"] == 4 for row in rows.values())
    for row in rows.values():
        figure = main_figure(row)
        assert row[figure] > row["chance"][figure] > 0
        assert set(row["chance"]) <= set(row)
    assert rows["semantic-48"]["mIoU_stuff"] > rows["semantic-48"]["mIoU"] > rows["semantic-48"]["mIoU_thing"]
    assert {"bbox_AP50", "bbox_AP50_base", "segm_AP50"} <= set(rows["detection"])
    assert {"PQ", "SQ", "RQ", "PQ_thing", "PQ_stuff", "PQ_base", "SQ_thing", "RQ_stuff"} <= set(rows["panoptic"])
    assert main_figure(rows["panoptic"]) == "PQ"


def test_the_report_says_where_the_figures_come_from(small):
    assert json.loads(json.dumps(small)) == small
    assert small["versions"]["ovdense"] == __version__ and {"torch", "mmdet", "numpy"} <= set(small["versions"])
    if small["git"]:
        assert len(small["git"]["commit"]) == 40 and small["git"]["modified"] in (True, False)
    rows = {row["task"]: row for row in small["results"]}
    assert len({row["config_sha256"] for row in small["results"]}) == len(rows)
    assert set(rows["semantic-48"]["weights_sha256"]) == {"scenes", "text_tower"}
    assert rows["panoptic"]["weights_sha256"]["scenes_proposals"] == weights_digest("scenes_proposals")


def test_the_share_of_the_synonyms_is_printed(small):
    (ratio,) = small["ratios"]
    rows = {row["task"]: row for row in small["results"]}
    assert ratio["mIoU"] == round(100 * rows["synonyms"]["mIoU"] / rows["synonyms-by-name"]["mIoU"], 1)
    line = table_of(small).splitlines()[-1]
    assert line.startswith("synonyms ") and f"mIoU {ratio['mIoU']} %" in line and "synonyms-by-name" in line


def test_ratios_by_hand():
    rows = [
        dict(task=task, model=m, config="c", mIoU=v) for task, m, v in (("a", "x", 9), ("b", "x", 36), ("a", "y", 5))
    ]
    pair = dict(task="a", to="b")
    assert ratios_of(rows, [pair]) == [dict(task="a", to="b", model="x", config="c", mIoU=25)]
    assert ratios_of(rows[:1], [pair]) == [] and ratios_of(rows, []) == []


def test_digests_depend_on_settings_and_weights_alone():
    config = Config(dict(model=dict(backbone=dict(model="scenes"), note="lite-like"), b=1))
    assert config_digest(config) == config_digest(Config(dict(b=1, model=config.model.to_dict())))
    assert config_digest(config) != config_digest(Config(dict(b=2, model=config.model.to_dict())))
    assert list(weight_digests(config)) == ["scenes", "text_tower"]
    with pytest.raises(FileNotFoundError, match="'photos'"):
        weights_digest("photos")


def test_command_prints_and_writes_the_report(tmp_path, capsys):
    path = tmp_path / "bench.json"
    assert main(["bench", "--tasks", "panoptic", "--limit", "1", "--json", str(path)]) == 0
    assert capsys.readouterr().out.strip() == table_of(json.loads(path.read_text()))


def test_unknown_tasks_are_named():
    with pytest.raises(ConfigError, match=r"semantic-48.*got depth"):
        run_bench(["depth"])
