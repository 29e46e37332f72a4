"""Writes the sections of docs/datasets.md from the descriptions of the data sets.

    python tools/analysis_tools/datasets_page.py [--check]

``--check`` writes nothing and ends with 1 where the page is not what the descriptions say.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.doctor import dataset_names, load_description

PAGE = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"
BEGIN, END = "<!-- sections: written by tools/analysis_tools/datasets_page.py -->", "<!-- end of sections -->"


def files_of(part: dict) -> list[str]:
    """Paths of a part, with ``*`` for what varies."""
    if "json" in part:
        maps = [f"{part['maps']}/*.png"] if part.get("maps") else []
        pictures = part["pictures"] or f"{part['name']}2017"
        return [part["json"], f"{pictures}/*.jpg", *maps]
    labels = part["labels"] if isinstance(part["labels"], str) else part["labels"][0]
    paths = [part["images"], labels, *([part["list"]] if part.get("list") else [])]
    return [path.replace("{key}", "*") for path in paths]


def count_of(part: dict) -> str:
    """Official number of pictures, as text."""
    count = part.get("count")
    if count is None:
        return "no official number at hand"
    return " or ".join(f"{number:,}" for number in (count if isinstance(count, list) else [count])) + " pictures"


def section(description: dict) -> str:
    name, root = description["name"], description["root"]
    lines = [
        f"### {name}",
        "",
        f"{description['title']}. Get {', '.join(description['get'])} from {description['home']}.",
        "",
    ]
    lines += ["```", root]
    seen: set[str] = set()
    for part in description["parts"]:
        for place, path in enumerate(files_of(part)):
            remark = f"  # {part['name']}: {count_of(part)}" if place == 0 else ""
            if path not in seen or remark:
                lines.append(f"  {path}{remark}")
            seen.add(path)
    lines += ["```", ""]
    convert = description.get("convert")
    if convert:
        command, _, note = convert.format(root=root).partition(" (")
        is_command = command.startswith("python ")
        shown = f"`{command}`" if is_command else command
        lines.append(f"- derived files: {shown}{f' ({note}' if note else ''}")
    lines.append(f"- check: `ovdense data doctor {name} {root}`")
    configs = ", ".join(f"`_base_/datasets/{config}.py`" for config in description["configs"])
    return "\n".join([*lines, f"- configs: {configs}", ""])


def sections() -> str:
    return "\n".join(section(load_description(name)) for name in dataset_names())


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only look whether the page is up to date")
    args = parser.parse_args(argv)
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    fresh = f"{head}{BEGIN}\n\n{sections()}\n{END}{rest.split(END)[1]}"
    if args.check:
        if fresh != text:
            print(f"{PAGE} is out of date: run python tools/analysis_tools/datasets_page.py")
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
