"""Writes MODEL_ZOO.md and the tables of published results in configs/*/README.md from the metafile.yml files.

    python tools/analysis_tools/model_zoo.py [--check]

The figures of a result that names a ``Bench`` config must be those of benchmarks/results/scenes_bench.json; files,
configs and cards that a metafile names must exist. A README's table stands between ``<!-- published N, from
metafile.yml -->`` and ``<!-- end -->``, N counting the metafile's tables. ``--check`` writes nothing and ends with 1
where a page is not what the metafiles say.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import yaml
from safetensors import safe_open

from ovdense.apis.zoo import Checkpoint, zoo

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "MODEL_ZOO.md"
EMBEDDED = ROOT / "ovdense" / "assets" / "models"
HEAD = """# Model zoo

Written by `python tools/analysis_tools/model_zoo.py` from the `metafile.yml` files under `configs/`.

## Embedded models

They travel with the package and were trained by `tools/train.py` on CPU cores; a card each tells data, seed and limits.
Every figure was measured here. The figures of scenes are percentages over the fixed validation pictures:
[docs/scenes_benchmark.md](docs/scenes_benchmark.md) has all splits and the chance levels, `ovdense bench` repeats them.

"""

PUBLISHED_HEAD = """
## Published checkpoints

Files of the methods' authors. None was in reach when this was written, so the figures are theirs, never ours.
`ovdense zoo info NAME` says where a file is published and under which licence, `ovdense zoo download NAME` fetches it
where that is allowed to programs, `ovdense zoo convert NAME --source FILE --out FILE` turns it into weights for the
config. The key maps were tested with state dicts in the official layouts.

"""
TABLE = re.compile(r"(<!-- published (\d+), from metafile.yml -->\n).*?(<!-- end -->)", re.S)


def load_models(root: Path = ROOT) -> list[dict]:
    """The models of every metafile, each with the folder it came from.

    Raises:
        ValueError: a metafile without the keys that the page needs.
    """
    models = []
    for path in sorted((root / "configs").glob("*/metafile.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for model in content.get("Models") or []:
            missing = {"Name", "In Collection", "Config", "Card", "Metadata", "Commands", "Results"} - set(model)
            if missing:
                raise ValueError(f"{path}: model {model.get('Name')!r} lacks {sorted(missing)}")
            models.append(model)
    return models


def weight_files(name: str) -> list[Path]:
    """Weights of an embedded model."""
    return sorted((EMBEDDED / name).glob("*.safetensors"))


def size_of(name: str) -> tuple[float, float]:
    """Size of an embedded model in MB (10^6 bytes) and its numbers in millions."""
    files, numbers = weight_files(name), 0
    for path in files:
        with safe_open(path, "np") as tensors:
            numbers += sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
    return sum(path.stat().st_size for path in files) / 1e6, numbers / 1e6


def page_of(models: list[dict]) -> str:
    """The whole page."""
    blocks = []
    for model in models:
        megabytes, millions = size_of(model["Name"])
        facts = model["Metadata"]
        commands = "\n".join(model["Commands"])
        rows = [
            (result["Task"], result["Dataset"], ", ".join(f"{key} {value}" for key, value in result["Metrics"].items()))
            for result in model["Results"]
        ]
        table = "\n".join(f"| {' | '.join(row)} |" for row in [("task", "data", "figures"), ("---",) * 3, *rows])
        blocks.append(
            f"### `{model['Name']}`\n\n"
            f"{_sentence(facts['Use'])} {megabytes:.1f} MB, {millions:.2f} million numbers. Trained on "
            f"{facts['Training Data']}, in {facts['Training Time']}. [Card]({model['Card']}), "
            f"[config]({model['Config']}).\n\n{table}\n\n```bash\n{commands}\n```"
        )
    total = sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()) / 1e6
    return HEAD + "\n\n".join(blocks) + f"\n\nAll embedded files together: {total:.1f} MB.\n"


def checkpoint_table(entries: list[Checkpoint]) -> str:
    """The section of published checkpoints."""
    rows = [("name", "method", "licence", "config", "published figure"), ("---",) * 5]
    rows += [
        (
            f"[`{each.name}`]({each.page})",
            f"[{each.method}]({each.paper})",
            each.licence,
            f"[{Path(each.config).stem}]({each.config})",
            each.result,
        )
        for each in entries
    ]
    return PUBLISHED_HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def readme_with_tables(text: str, tables: list[dict]) -> str:
    """A README with its tables of published results written anew.

    Raises:
        ValueError: the README and the metafile do not have the same tables.
    """
    numbers = [int(match.group(2)) for match in TABLE.finditer(text)]
    if numbers != list(range(1, len(tables) + 1)):
        raise ValueError(f"the README has the tables {numbers}, the metafile {len(tables)}")
    return TABLE.sub(lambda match: match.group(1) + _table(tables[int(match.group(2)) - 1]) + match.group(3), text)


def _table(table: dict) -> str:
    columns = len(table["Columns"])
    if odd := [row for row in table["Rows"] if len(row) != columns]:
        raise ValueError(f"every row has the {columns} columns of its table, got {odd}")
    rows = [[str(cell) for cell in row] for row in (table["Columns"], *table["Rows"])]
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|\n" for row in rows]
    return lines[0] + "|" + "---|" * columns + "\n" + "".join(lines[1:])


def readme_pages(root: Path = ROOT) -> dict[Path, str]:
    """Every README that a metafile belongs to, as it should be."""
    pages = {}
    for path in sorted((root / "configs").glob("*/metafile.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        readme = path.with_name("README.md")
        if readme.is_file():
            try:
                pages[readme] = readme_with_tables(readme.read_text(encoding="utf-8"), content.get("Published") or [])
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
    return pages


def checkpoint_problems(entries: list[Checkpoint]) -> list[str]:
    """Files of this project that a checkpoint's commands name and that do not exist."""
    found = []
    for entry in entries:
        words = f"{entry.config} {entry.convert or ''} {entry.test}".split()
        missing = {word for word in words if word.endswith(".py") and not (ROOT / word).is_file()}
        found += [f"{entry.name}: no file {word}" for word in sorted(missing)]
    return found


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def problems(models: list[dict], report: dict) -> list[str]:
    """What the metafiles say that is not so."""
    found = []
    rows = {(row["config"], row["task"]): row for row in report["results"]}
    for model in models:
        for key in ("Config", "Card"):
            if not (ROOT / model[key]).is_file():
                found.append(f"{model['Name']}: no file {model[key]}")
        if not weight_files(model["Name"]):
            found.append(f"{model['Name']}: no weights in {EMBEDDED / model['Name']}")
        for command in model["Commands"]:
            found += [
                f"{model['Name']}: no file {word}"
                for word in command.split()
                if word.endswith(".py") and not (ROOT / word).is_file()
            ]
        for result in model["Results"]:
            if "Bench" not in result:
                continue
            row = rows.get((result["Bench"], result["Dataset"]), {})
            told = {key: row.get(key) for key in result["Metrics"]}
            if told != result["Metrics"]:
                found.append(f"{model['Name']}, {result['Dataset']}: {result['Metrics']}, but the report says {told}")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    args = parser.parse_args(argv)
    models = load_models()
    report = json.loads((ROOT / "benchmarks" / "results" / "scenes_bench.json").read_text(encoding="utf-8"))
    entries = zoo(ROOT / "configs")
    wrong = problems(models, report) + checkpoint_problems(entries)
    if wrong:
        print("\n".join(wrong))
        return 1
    pages = {PAGE: page_of(models) + checkpoint_table(entries), **readme_pages()}
    if args.check:
        old = [path for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
        print("\n".join(f"{path} is not what the metafiles say" for path in old) or "up to date")
        return int(bool(old))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    print(f"{PAGE}: {len(models)} models, {len(entries)} published checkpoints; {len(pages) - 1} READMEs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
