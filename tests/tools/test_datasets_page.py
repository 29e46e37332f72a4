"""docs/datasets.md says what the descriptions say, and the commands it names exist."""

import importlib.util
import re
from pathlib import Path

from ovdense.datasets.doctor import dataset_names, load_description

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("datasets_page", ROOT / "tools/analysis_tools/datasets_page.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)


def test_the_page_is_up_to_date():
    assert tool.main(["--check"]) == 0


def test_configs_and_converters_exist():
    for name in dataset_names():
        description = load_description(name)
        for config in description["configs"]:
            assert (ROOT / "configs/_base_/datasets" / f"{config}.py").is_file(), config
        for script in re.findall(r"tools/\S+\.py", description.get("convert", "")):
            assert (ROOT / script).is_file() or script.startswith("tools/datasets"), script
    page = tool.PAGE.read_text(encoding="utf-8")
    for script in re.findall(r"`(\w+\.py)", page.split("## Reading the results")[0].split("## Converters")[1]):
        assert (ROOT / "tools/dataset_converters" / script).is_file(), script


def test_a_stale_page_is_told(monkeypatch, tmp_path, capsys):
    page = tmp_path / "datasets.md"
    page.write_text(f"head\n{tool.BEGIN}\nold\n{tool.END}\ntail\n")
    monkeypatch.setattr(tool, "PAGE", page)
    assert tool.main(["--check"]) == 1 and "out of date" in capsys.readouterr().out
    assert tool.main([]) == 0 and tool.main(["--check"]) == 0
    text = page.read_text()
    assert text.startswith("head\n") and text.endswith("tail\n") and "ovdense data doctor voc21" in text
