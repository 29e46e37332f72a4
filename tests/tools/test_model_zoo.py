"""MODEL_ZOO.md says what the metafiles, the benchmark's report and the files say."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("model_zoo", ROOT / "tools" / "analysis_tools" / "model_zoo.py")
zoo = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(zoo)
REPORT = json.loads((ROOT / "benchmarks" / "results" / "scenes_bench.json").read_text(encoding="utf-8"))


def test_the_page_is_up_to_date():
    models = zoo.load_models()
    assert zoo.problems(models, REPORT) == []
    page = zoo.page_of(models) + zoo.checkpoint_table(zoo.zoo(ROOT / "configs"))
    assert (ROOT / "MODEL_ZOO.md").read_text(encoding="utf-8") == page


def test_the_published_tables_of_the_readmes_are_those_of_the_metafiles():
    pages = zoo.readme_pages()
    assert len(pages) > 20
    assert [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text] == []


def test_every_file_that_a_checkpoint_names_exists():
    assert zoo.checkpoint_problems(zoo.zoo(ROOT / "configs")) == []


def test_a_table_is_written_between_its_marks():
    text = "before\n<!-- published 1, from metafile.yml -->\nold\n<!-- end -->\nafter\n"
    table = dict(Columns=["Backbone", "ADE"], Rows=[["B/16", "20.0"], ["L/14", ""]])
    new = "| Backbone | ADE |\n|---|---|\n| B/16 | 20.0 |\n| L/14 | |\n"
    assert zoo.readme_with_tables(text, [table]) == text.replace("old\n", new)
    with pytest.raises(ValueError, match=r"the README has the tables \[1\], the metafile 0"):
        zoo.readme_with_tables(text, [])
    with pytest.raises(ValueError, match="the 2 columns of its table"):
        zoo.readme_with_tables(text, [dict(Columns=["a", "b"], Rows=[["1"]])])


def test_every_embedded_model_with_a_config_is_listed():
    names = {model["Name"] for model in zoo.load_models()}
    helpers = {"minilm", "text_tower"}  # the text side of the others
    assert names | helpers >= {path.parent.name for path in zoo.EMBEDDED.glob("*/MODEL_CARD.md")}


def test_wrong_figures_and_missing_files_are_told():
    model = dict(
        Name="scenes",
        Config="configs/tiny/nothing.py",
        Card="README.md",
        Commands=["python tools/train.py configs/tiny/none.py"],
        Results=[dict(Dataset="semantic-48", Bench="maskclip_scenes_scenes-48-96", Metrics=dict(mIoU=99.0))],
    )
    told = zoo.problems([model], REPORT)
    assert len(told) == 3
    assert told[0] == "scenes: no file configs/tiny/nothing.py" and told[1] == "scenes: no file configs/tiny/none.py"
    assert told[2].startswith("scenes, semantic-48: {'mIoU': 99.0}, but the report says {'mIoU': ")


def test_sizes_are_counted_from_the_files(tmp_path, monkeypatch):
    folder = tmp_path / "toy"
    folder.mkdir()
    save_file(dict(a=np.zeros((1000, 20), np.float16), b=np.zeros(3, np.float32)), folder / "model.safetensors")
    monkeypatch.setattr(zoo, "EMBEDDED", tmp_path)
    megabytes, millions = zoo.size_of("toy")
    assert millions == pytest.approx(0.020003) and 0.040 < megabytes < 0.041


def test_a_metafile_without_needed_keys_is_refused(tmp_path):
    folder = tmp_path / "configs" / "toy"
    folder.mkdir(parents=True)
    (folder / "metafile.yml").write_text("Models: [{Name: toy}]")
    with pytest.raises(ValueError, match="model 'toy' lacks"):
        zoo.load_models(tmp_path)
