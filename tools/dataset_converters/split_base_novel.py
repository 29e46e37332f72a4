"""Splits COCO-format data of your own into base and novel classes, and checks it.

    python tools/dataset_converters/split_base_novel.py train.json --val val.json --novel "cat, dog"
    python tools/dataset_converters/split_base_novel.py train.json --novel-share 0.25 --images photos

Writes ``base_train.json`` (boxes of base classes only, all classes in the table), ``all_val.json``, ``vocabulary.json``
(groups base and novel) and ``report.json``; then says how to train, test and encode the names. Without ``--val`` the
training file's pictures are evaluated, which is said.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.coco_splits import Part, file_name, find_problems, ids_of, read_coco, write_atomic, write_parts


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="COCO json of the training pictures")
    parser.add_argument("--val", type=Path, help="COCO json of the pictures to evaluate on")
    parser.add_argument("--novel", help='names kept for testing: "cat, dog", or a .txt with one a line')
    parser.add_argument("--base", help="names to train on (default: all that are neither novel nor dropped)")
    parser.add_argument("--drop", default="", help="names that belong to neither, out of every file")
    parser.add_argument(
        "--novel-share", type=float, help="takes the rarest classes that can be evaluated, this share of them, as novel"
    )
    parser.add_argument("--images", type=Path, help="folder of the pictures, to check that all are there")
    parser.add_argument("--out", type=Path, help="folder of the results (default: open_vocabulary beside the json)")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    return parser.parse_args(argv)


def read_names(text: str | None) -> list[str]:
    if not text:
        return []
    if text.endswith(".txt"):
        text = Path(text).read_text(encoding="utf-8").replace("\n", ",")
    return [name.strip() for name in text.split(",") if name.strip()]


def choose(document: dict, args: argparse.Namespace, evaluated: dict | None = None) -> tuple[list[str], list[str]]:
    """(base, novel) in the order of the category table.

    A share of novel classes is taken among those that ``evaluated`` (default: the same document) has boxes of: others
    would give no figure.

    Raises:
        ValueError: unknown names, a name on both sides, or an empty side.
    """
    names = [category["name"] for category in document["categories"]]
    novel, base, drop = read_names(args.novel), read_names(args.base), read_names(args.drop)
    ids_of(document, [*novel, *base, *drop])
    if args.novel_share is not None:
        if novel or not 0 < args.novel_share < 1:
            raise ValueError(f"--novel-share goes without --novel and lies between 0 and 1, got {args.novel_share}")
        pictures = pictures_by_class(document)
        testable = pictures_by_class(evaluated or document)
        rarest = sorted(
            (name for name in names if name not in drop and testable[name]), key=lambda name: pictures[name]
        )
        if not rarest:
            raise ValueError("no class has a box in the pictures to evaluate on")
        novel = rarest[: max(1, round(args.novel_share * len(rarest)))]
    if not novel:
        raise ValueError('which classes are novel? add --novel "cat, dog" or --novel-share 0.25')
    twice = sorted(set(novel) & set(base) | set(novel) & set(drop) | set(base) & set(drop))
    if twice:
        raise ValueError(f"a class is base, novel or dropped, not two of these: {', '.join(twice)}")
    base = base or [name for name in names if name not in {*novel, *drop}]
    if not base:
        raise ValueError(f"no base class is left of {len(names)}")
    return [name for name in names if name in base], [name for name in names if name in novel]


def pictures_by_class(document: dict) -> Counter:
    """Number of pictures with a box of each class."""
    name_of = {category["id"]: category["name"] for category in document["categories"]}
    pairs = {(one["image_id"], one["category_id"]) for one in document["annotations"]}
    return Counter(name_of[category] for _, category in pairs if category in name_of)


def check(document: dict, base: list[str], novel: list[str], images: Path | None, what: str) -> list[str]:
    """What is wrong, in words."""
    problems = [f"{what}: {text}" for text in find_problems(document)]
    pictures = pictures_by_class(document)
    for group, names in (("base", base), ("novel", novel)):
        empty = [name for name in names if not pictures[name]]
        if empty:
            problems.append(f"{what}: {len(empty)} {group} classes have no box: {', '.join(empty[:8])}")
    if images is not None:
        missing = [name for name in map(file_name, document["images"]) if not name or not (images / name).is_file()]
        if missing:
            problems.append(
                f"{what}: {len(missing)} of {len(document['images'])} pictures not in {images}: {missing[:3]}"
            )
    return problems


def split(args: argparse.Namespace) -> dict:
    train = read_coco(args.train)
    val_path = args.val or args.train
    val = read_coco(val_path) if args.val else train
    base, novel = choose(train, args, val)
    ids_of(val, [*base, *novel])
    problems = check(train, base, novel, args.images, "training")
    if args.val:
        problems += check(val, base, novel, args.images, "evaluation")
        shared = {file_name(image) for image in train["images"]} & {file_name(image) for image in val["images"]}
        if shared:
            problems.append(f"{len(shared)} pictures are in both files, such as {sorted(map(str, shared))[:2]}")
    else:
        problems.append("evaluation on the training pictures: give --val for an honest figure")
    out = args.out or args.train.parent / "open_vocabulary"
    classes = [category["name"] for category in train["categories"] if category["name"] in {*base, *novel}]
    everything = tuple(classes)
    parts = [
        Part("base_train.json", "train", tuple(base), everything),
        Part("all_val.json", "val", everything, everything, keep_empty=True),
    ]
    files = write_parts(parts, dict(train=args.train, val=val_path), out, force=args.force)
    groups = dict(base=[classes.index(name) for name in base], novel=[classes.index(name) for name in novel])
    write_atomic(out / "vocabulary.json", json.dumps(dict(classes=classes, groups=groups), indent=1) + "\n")
    report = dict(base=base, novel=novel, problems=problems, files={part.name: files[part.name] for part in parts})
    write_atomic(out / "report.json", json.dumps(report, indent=1) + "\n")
    print(f"{len(base)} base and {len(novel)} novel classes: {', '.join(novel[:12])}{', ...' * (len(novel) > 12)}")
    for text in problems:
        print(f"check: {text}")
    config = "configs/region_text/region-text_lite_own-data-448.py"
    print(f"test: python tools/test.py {config} none --cfg-options {test_options(out, args.images)}")
    return report


def test_options(out: Path, images: Path | None) -> str:
    """Settings that point the config of own data at the results; relative pictures would be sought below ``out``."""
    images = images if images is None else images.resolve()
    options = [f"model.vocabulary={out / 'vocabulary.json'}"]
    for key, value in (("data_root", out), ("vocabulary", out / "vocabulary.json"), ("data_prefix.img", images)):
        options += [f"test_dataloader.dataset.{key}={value}"] if value is not None else []
    return " ".join(options)


def main(argv=None) -> dict:
    try:
        return split(parse_args(argv))
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
