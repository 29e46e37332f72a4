"""Writes trainaug of PASCAL VOC 2012: label maps of SBD as PNGs, and the list of 10,582 pictures.

    python tools/dataset_converters/voc_aug.py data/VOCdevkit/VOC2012 SBD/benchmark_RELEASE

Reads ``dataset/cls/*.mat``, ``dataset/train.txt`` and ``dataset/val.txt`` of SBD (benchmark.tgz) and VOC's lists.
Writes ``SegmentationClassAug/*.png`` and ``ImageSets/Segmentation/{trainaug,aug}.txt``: SBD and VOC's train without
VOC's val, in alphabetical order. Pictures of VOC's own train and val keep VOC's maps. What is there already is left
alone.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from rich.progress import track

from ovdense.datasets.label_conversion import read_index_map, write_map

OFFICIAL = 10582


def names_of(path: Path) -> list[str]:
    if not path.is_file():
        raise SystemExit(f"error: no {path}: give the folder of VOC2012 and that of SBD's benchmark_RELEASE")
    return path.read_text(encoding="utf-8").split()


def write_list(path: Path, names: list[str]) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    os.replace(partial, path)


def read_sbd(path: Path) -> np.ndarray:
    """(H, W) classes of a file of SBD; it has no border."""
    from scipy.io import loadmat

    return loadmat(path)["GTcls"][0]["Segmentation"][0].astype(np.uint8)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voc", type=Path, help="folder VOC2012")
    parser.add_argument("sbd", type=Path, help="folder benchmark_RELEASE of SBD")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    lists, source = args.voc / "ImageSets" / "Segmentation", args.sbd / "dataset"
    train, val = names_of(lists / "train.txt"), names_of(lists / "val.txt")
    sbd = names_of(source / "train.txt") + names_of(source / "val.txt")
    own = set(train) | set(val)
    out = args.voc / "SegmentationClassAug"
    names = sorted(own | set(sbd))
    todo = [name for name in names if args.force or not (out / f"{name}.png").is_file()]
    for name in track(todo, "SegmentationClassAug"):
        voc_map = args.voc / "SegmentationClass" / f"{name}.png"
        labels = read_index_map(voc_map) if name in own else read_sbd(source / "cls" / f"{name}.mat")
        write_map(out / f"{name}.png", labels)
    trainaug = sorted((set(train) | set(sbd)) - set(val))
    write_list(lists / "trainaug.txt", trainaug)
    write_list(lists / "aug.txt", [name for name in trainaug if name not in set(train)])
    remark = "" if len(trainaug) == OFFICIAL else f" (officially {OFFICIAL}: are both sets whole?)"
    print(
        f"{out}: {len(todo)} label maps written, {len(names) - len(todo)} were there; trainaug {len(trainaug)}{remark}"
    )


if __name__ == "__main__":
    main()
