"""Writes MODEL_ZOO.md from the metafile.yml files of configs/.

    python tools/analysis_tools/model_zoo.py [--check]

The figures of a result that names a ``Bench`` config must be those of benchmarks/results/scenes_bench.json; files,
configs and cards that a metafile names must exist. ``--check`` writes nothing and ends with 1 where the page is
not what the metafiles say.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import yaml
from safetensors import safe_open

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


def load_models(root: Path = ROOT) -> list[dict]:
    """The models of every metafile, each with the folder it came from.

    Raises:
        ValueError: a metafile without the keys that the page needs.
    """
    models = []
    for path in sorted((root / "configs").glob("*/metafile.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for model in content["Models"]:
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
    wrong = problems(models, report)
    if wrong:
        print("\n".join(wrong))
        return 1
    page = page_of(models)
    if args.check:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
        print("up to date" if current else f"{PAGE} is not what the metafiles say")
        return int(not current)
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE}: {len(models)} models")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
