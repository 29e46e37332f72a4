"""Runs the examples of docs/vocabulary.md, which build on each other."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "vocabulary.md"


def test_the_examples_of_the_vocabulary_page_run():
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(block, names)


def test_the_page_names_every_shipped_list_of_templates_and_benchmark_classes():
    from ovdense.models.vocabulary_files import template_names, vocabulary_names

    text = PAGE.read_text(encoding="utf-8")
    benchmarks = [name for name in vocabulary_names() if not name.startswith("scenes")]
    assert [name for name in (*template_names(), *benchmarks) if f"`{name}`" not in text] == []
