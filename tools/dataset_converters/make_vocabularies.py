"""Writes ``ovdense/assets/vocabularies/*.json`` from the class lists of mmseg, mmdet, open_clip and the scenes.

    python tools/dataset_converters/make_vocabularies.py [OUT_FOLDER]

Classes, their order and their colours are those of the libraries' datasets; the phrases are the same names as a person
would write them ("diningtable" -> "dining table", "wall-brick" -> "brick wall", "bow_(weapon)" -> "bow (weapon)").
"""

import argparse
import json
import re
from pathlib import Path

# First, since it repairs what the installed binaries may lack.
import ovdense

# isort: split
import mmdet.datasets as mmdet_datasets
import mmseg.datasets as mmseg_datasets
from large_vocabularies import large_vocabularies
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from protocol_vocabularies import protocol_vocabularies

from ovdense.datasets.scenes.shapes import composition_names
from ovdense.datasets.scenes.sprites import load_atlas
from ovdense.datasets.scenes.textures import STUFF
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures.palette import distinct_colors

OUT = Path(ovdense.__file__).parent / "assets" / "vocabularies"
FREQUENCIES = Path(__file__).with_name("lvis_v1_frequency.txt")  # a letter for each of the 1,203 classes, by id
SPELLINGS = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
    "bedclothes": "bed clothes",
    "playingfield": "playing field",
    "waterdrops": "water drops",
    "window-blind": "window blind",
    "wall-panel": "wall panel",
}
# Affordances of AGD20K (arXiv 2203.09905), in the order of its authors' code.
AFFORDANCES = """beat, boxing, brush with, carry, catch, cut, cut with, drag, drink with, eat, hit, hold, jump, kick,
lie on, lift, look out, open, pack, peel, pick up, pour, push, ride, sip, sit on, stick, stir, swing, take photo,
talk on, text on, throw, type on, wash, write"""
MATERIALS = ("wall", "floor", "ceiling")
# OV-COCO (arXiv 2011.10678): 48 base and 17 novel of the 80 classes; the other 15 belong to neither.
COCO_NOVEL = [
    "airplane",
    "bus",
    "cat",
    "dog",
    "cow",
    "elephant",
    "umbrella",
    "tie",
    "snowboard",
    "skateboard",
    "cup",
    "knife",
    "cake",
    "couch",
    "keyboard",
    "sink",
    "scissors",
]
COCO_UNUSED = [
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "sports ball",
    "baseball bat",
    "baseball glove",
    "tennis racket",
    "wine glass",
    "hot dog",
    "potted plant",
    "dining table",
    "cell phone",
    "teddy bear",
    "hair drier",
]
# Zero-shot segmentation splits, as in ZegCLIP (arXiv 2212.03588) and OTSeg.
STUFF_UNSEEN = [
    "cow",
    "giraffe",
    "suitcase",
    "frisbee",
    "skateboard",
    "carrot",
    "scissors",
    "cardboard",
    "clouds",
    "grass",
    "playingfield",
    "river",
    "road",
    "tree",
    "wall-concrete",
]
VOC_UNSEEN = ["pottedplant", "sheep", "sofa", "train", "tvmonitor"]
CONTEXT_UNSEEN = ["aeroplane", "bird", "boat", "cat", "cow", "fence", "keyboard", "motorbike", "sofa", "tvmonitor"]
# The background phrases of the SCLIP family's VOC-21 and COCO-Object protocols.
BACKGROUND = [
    "sky",
    "wall",
    "tree",
    "wood",
    "grass",
    "road",
    "sea",
    "river",
    "mountain",
    "sands",
    "desk",
    "bed",
    "building",
    "cloud",
    "lamp",
    "door",
    "window",
    "wardrobe",
    "ceiling",
    "shelf",
    "curtain",
    "stair",
    "floor",
    "hill",
    "rail",
    "fence",
]
CITYSCAPES_THINGS = ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
CAMVID = {
    "sky": [128, 128, 128],
    "building": [128, 0, 0],
    "pole": [192, 192, 128],
    "road": [128, 64, 128],
    "pavement": [0, 0, 192],
    "tree": [128, 128, 0],
    "sign": [192, 128, 128],
    "fence": [64, 64, 128],
    "car": [64, 0, 128],
    "pedestrian": [64, 64, 0],
    "bicyclist": [0, 128, 192],
}


def spell(name: str) -> str:
    """A class name as a person would write it."""
    name = re.sub(r"(-other|-stuff|-merged)+$", "", name.strip()).replace("_", " ")
    if name in SPELLINGS:
        return SPELLINGS[name]
    first, _, second = name.partition("-")
    if second and first in MATERIALS:
        return f"{second} {first}"
    return re.sub(r"(?<=\w)\(", " (", name.replace("-", " "))


def entry(meta: dict, *, background: dict | None = None, **groups) -> dict:
    """The json content for one dataset's METAINFO; a group is the names that it holds."""
    classes = [name.strip() for name in meta["classes"]]
    content = dict(classes=classes)
    if any(spell(name) != name for name in classes):
        content["phrases"] = [[spell(name)] for name in classes]
    members = {group: [classes.index(name) for name in classes if name in names] for group, names in groups.items()}
    if members:
        content["groups"] = members
    if background:
        content["background"] = background
    if len(meta.get("palette") or ()) == len(classes):
        content["colors"] = distinct([tuple(color) for color in meta["palette"]])
    return content


def with_synonyms(meta: dict, **groups) -> dict:
    """The json content for a METAINFO that writes synonyms as "rail, fence"; a phrase of two classes names both."""
    content = entry(meta, **groups)
    phrases = [[spell(part) for part in name.split(", ")] for name in content["classes"]]
    classes, taken = [], set()
    for names in phrases:
        classes.append(next((name for name in names if name not in taken), names[0]))
        taken.add(classes[-1])
    return {**content, "classes": classes, "phrases": phrases, "duplicates": "keep"}


def distinct(colors: list[tuple[int, int, int]]) -> list[list[int]]:
    """The colours, of which the second and later uses of one give way to colours that none has."""
    spare = (color for color in distinct_colors(2 * len(colors)) if color not in colors)
    used = set()
    for index, color in enumerate(colors):
        if color in used:
            colors[index] = next(spare)
        used.add(colors[index])
    return [list(color) for color in colors]


def without_first(meta: dict) -> dict:
    """A dataset's METAINFO without its background class."""
    return dict(classes=meta["classes"][1:], palette=meta["palette"][1:])


def only(meta: dict, names) -> dict:
    """A dataset's METAINFO with these classes only, in its own order and colours."""
    chosen = [index for index, name in enumerate(meta["classes"]) if name in names]
    return {key: [meta[key][index] for index in chosen] for key in ("classes", "palette")}


def lvis_names_by_frequency(classes) -> dict[str, list[str]]:
    """Names by frequency in LVIS v1's training set: f in more than 100 images, c in 11 to 100, r in 10 at most."""
    letters = "".join(FREQUENCIES.read_text(encoding="ascii").split())
    return {letter: [name for name, one in zip(classes, letters, strict=True) if one == letter] for letter in "fcr"}


def split(names, selected) -> tuple[list[str], list[str]]:
    """(the others, the selected), each in the order of ``names``."""
    return [name for name in names if name not in selected], [name for name in names if name in selected]


def vocabularies() -> dict[str, dict]:
    """Json content by vocabulary name."""
    coco = mmdet_datasets.CocoDataset.METAINFO
    panoptic = mmdet_datasets.CocoPanopticDataset.METAINFO
    ade_panoptic = mmdet_datasets.ADE20KPanopticDataset.METAINFO
    stuff = mmseg_datasets.COCOStuffDataset.METAINFO
    voc = mmseg_datasets.PascalVOCDataset.METAINFO
    context59 = mmseg_datasets.PascalContextDataset59.METAINFO
    context60 = mmseg_datasets.PascalContextDataset.METAINFO
    cityscapes = mmseg_datasets.CityscapesDataset.METAINFO
    names = dict(policy="names", names=BACKGROUND)
    coco_background = dict(classes=["background", *coco["classes"]], palette=[[0, 0, 0], *coco["palette"]])
    base, novel = split([name for name in coco["classes"] if name not in COCO_UNUSED], COCO_NOVEL)
    lvis = mmdet_datasets.LVISV1Dataset.METAINFO
    rarity = lvis_names_by_frequency(lvis["classes"])
    by_frequency = dict(frequent=rarity["f"], common=rarity["c"], rare=rarity["r"])
    stuff_seen, stuff_unseen = split(stuff["classes"], STUFF_UNSEEN)
    voc_seen, voc_unseen = split(voc["classes"][1:], VOC_UNSEEN)
    context_seen, context_unseen = split(context59["classes"], CONTEXT_UNSEEN)
    city_stuff, city_things = split(cityscapes["classes"], CITYSCAPES_THINGS)
    return {
        "coco-80": entry(coco, base=base, novel=novel),
        "coco-65": entry(only(coco, base + novel), base=base, novel=novel),
        "coco-48": entry(only(coco, base), base=base),
        "coco-17": entry(only(coco, novel), novel=novel),
        "coco-object-81": entry(coco_background, background=names),
        "coco-133": entry(panoptic, thing=panoptic["thing_classes"], stuff=panoptic["stuff_classes"]),
        "coco-stuff-171": entry(
            stuff, thing=stuff["classes"][:80], stuff=stuff["classes"][80:], seen=stuff_seen, unseen=stuff_unseen
        ),
        # In the order of the panoptic and instance annotations: 100 things first.
        "ade20k-panoptic-150": with_synonyms(
            ade_panoptic, thing=ade_panoptic["thing_classes"], stuff=ade_panoptic["stuff_classes"]
        ),
        "ade20k-150": entry(mmseg_datasets.ADE20KDataset.METAINFO),
        "voc-20": entry(without_first(voc), seen=voc_seen, unseen=voc_unseen),
        "voc-21": entry(voc, background=names),
        "pascal-context-59": entry(context59, seen=context_seen, unseen=context_unseen),
        "pascal-context-60": entry(context60, background=dict(policy="names", names=["background"])),
        "cityscapes-19": entry(cityscapes, thing=city_things, stuff=city_stuff),
        "agd20k-36": dict(classes=[name.strip() for name in AFFORDANCES.split(",")]),
        "camvid-11": entry(dict(classes=list(CAMVID), palette=list(CAMVID.values()))),
        "lvis-1203": entry(lvis, base=rarity["f"] + rarity["c"], novel=rarity["r"], **by_frequency),
        # Two names of OpenAI's list are not unique (missile, sunglasses); the places stay apart.
        "imagenet-1000": dict(classes=list(IMAGENET_CLASSNAMES), duplicates="keep"),
    }


def scenes_vocabularies() -> dict[str, dict]:
    """The scenes' classes that no training shows (objects beyond those of scenes-143, held-out drawn shapes), and those
    with synonyms by their trained names."""
    known = load_vocabulary("scenes-143")
    unseen = [name for name in load_atlas().classes if name not in known.classes]
    held_out = composition_names("held-out")
    synonyms = json.loads((OUT / "scenes-synonyms-53.json").read_text(encoding="utf-8"))
    return {
        f"scenes-{len(synonyms['classes'])}": {key: value for key, value in synonyms.items() if key != "phrases"},
        f"scenes-unseen-{len(unseen) + len(STUFF)}": scenes_entry(unseen, "unseen"),
        f"scenes-composition-{len(held_out) + len(STUFF)}": scenes_entry(held_out, "held-out"),
    }


def scenes_entry(things, group: str) -> dict:
    """Things of one group, then the scenes' textures in the colours that they have everywhere."""
    known = load_vocabulary("scenes-143")
    stuff_colors = [known.palette[known.classes.index(name)] for name in STUFF]
    taken = {tuple(color) for color in known.palette}
    spare = [color for color in distinct_colors(len(things) + len(taken)) if color not in taken]
    meta = dict(classes=[*things, *STUFF], palette=[*spare[: len(things)], *stuff_colors])
    return entry(meta, thing=things, stuff=STUFF, **{group: things})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shipped = vocabularies()
    shipped.update(protocol_vocabularies(shipped, BACKGROUND))
    shipped.update(large_vocabularies(shipped))
    for name, content in {**shipped, **scenes_vocabularies()}.items():
        path = args.out / f"{name}.json"
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        vocabulary = load_vocabulary(path)
        print(f"{path.name}: {vocabulary.num_classes} classes, groups {list(vocabulary.groups)}")


if __name__ == "__main__":
    main()
