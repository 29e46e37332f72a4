"""The README's two commands are the ones that continuous integration runs, and what it points at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme():
    commands = re.findall(r"```bash\n(python3 -m venv .*)\n```", README)
    assert len(commands) == 2
    assert commands[0].endswith("&& ovdense demo")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("pip install -q ", "pip install ")
    assert commands[1] in script


LINKS = sorted(set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", README)) | set(re.findall(r'src="([^":]+)"', README)))


@pytest.mark.parametrize("target", LINKS)
def test_links_of_the_readme_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_no_draft_marks_are_left():
    assert "@@" not in README
