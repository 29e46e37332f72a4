"""Writes label maps in the 19 trainIds of Cityscapes for Cityscapes, ACDC, GTA5, BDD100K and Mapillary Vistas.

    python tools/dataset_converters/city_train_ids.py cityscapes data/cityscapes
    python tools/dataset_converters/city_train_ids.py gta5 data/gta
    python tools/dataset_converters/city_train_ids.py mapillary data/mapillary --mapping openseg

| set | reads | writes |
|---|---|---|
| cityscapes | gtFine/**/*_gtFine_labelIds.png | *_gtFine_labelTrainIds.png beside them |
| acdc | gt/**/*_gt_labelIds.png (the download has trainIds as well) | *_gt_labelTrainIds.png beside them |
| gta5 | labels/*.png (labelIds) | labels/*_labelTrainIds.png |
| bdd100k | seg/labels/{train,val}/*_train_id.png of the older release | labels/sem_seg/masks/{train,val}/*.png |
| mapillary | {training,validation}/v1.2/labels/*.png (66 classes) | .../v1.2/labels_train_ids/*.png |

Two mappings of Mapillary are in use: openseg (openseg.pytorch, Rein: parking, bike lanes and crossings are road) and
robustnet (RobustNet: those are ignored). Figures of one are not those of the other. What is there is left alone.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)

# isort: split
from mmseg.datasets import CityscapesDataset, MapillaryDataset_v1

from ovdense.datasets.label_conversion import by_name, cityscapes_table, convert_maps

MAPPINGS = json.loads(Path(__file__).with_name("city_mappings.json").read_text(encoding="utf-8"))


def beside(root: Path, folder: str, old: str, new: str) -> list[tuple[Path, Path]]:
    """Files that end in ``old`` below a folder, and their neighbours that end in ``new``."""
    files = sorted(path for path in (root / folder).rglob(f"*{old}") if not path.name.endswith("TrainIds.png"))
    return [(path, path.with_name(path.name.removesuffix(old) + new)) for path in files]


def bdd_pairs(root: Path) -> list[tuple[Path, Path]]:
    files = sorted((root / "seg" / "labels").glob("*/*_train_id.png"))
    target = root / "labels" / "sem_seg" / "masks"
    return [(path, target / path.parent.name / path.name.replace("_train_id", "")) for path in files]


def mapillary_pairs(root: Path) -> list[tuple[Path, Path]]:
    files = sorted(
        path for split in ("training", "validation") for path in (root / split / "v1.2/labels").glob("*.png")
    )
    return [(path, path.parents[1] / "labels_train_ids" / path.name) for path in files]


PAIRS = {
    "cityscapes": lambda root: beside(root, "gtFine", "_labelIds.png", "_labelTrainIds.png"),
    "acdc": lambda root: beside(root, "gt", "_labelIds.png", "_labelTrainIds.png"),
    "gta5": lambda root: beside(root, "labels", ".png", "_labelTrainIds.png"),
    "bdd100k": bdd_pairs,
    "mapillary": mapillary_pairs,
}


def table_for(name: str, mapping: str) -> np.ndarray:
    if name == "mapillary":
        cities = CityscapesDataset.METAINFO["classes"]
        return by_name(MAPPINGS[mapping], MapillaryDataset_v1.METAINFO["classes"], cities)
    return np.arange(256, dtype=np.uint8) if name == "bdd100k" else cityscapes_table()


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(PAIRS))
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument(
        "--mapping", choices=sorted(MAPPINGS), default="openseg", help="of Mapillary (default: openseg)"
    )
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    pairs = PAIRS[args.name](args.root)
    if not pairs:
        raise SystemExit(f"error: no label maps of {args.name} in {args.root}; see --help for what is read")
    table = table_for(args.name, args.mapping)
    written = convert_maps(pairs, table, force=args.force, progress=lambda todo: track(todo, args.name))
    print(f"{args.root}: {written} label maps written, {len(pairs) - written} were there")


if __name__ == "__main__":
    main()
