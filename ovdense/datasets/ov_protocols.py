"""The files of OV-COCO and OV-LVIS, protocol by protocol.

OV-COCO (Bansal et al., ECCV 2018; arXiv 2011.10678): 48 base and 17 novel of the 80 classes. Two protocols go by this
name and are not the same: ``ov-coco-65`` classifies among 65 names on the pictures that have a box of them (OVR-CNN,
RegionCLIP, F-ViT); ``ov-coco-80`` among all 80 on all pictures, with separate files of base and novel truth (ovdet).
``ov-coco-constrained`` knows only the base, or only the novel names; its figures are higher than generalised ones.

OV-LVIS (arXiv 2104.13921): frequent and common classes of LVIS v1 are base (866), rare ones novel (337).
"""

from __future__ import annotations

from ovdense.datasets.coco_splits import Part, file_name
from ovdense.models.vocabulary_files import load_vocabulary

COCO_PROTOCOLS = ("ov-coco-65", "ov-coco-80", "ov-coco-constrained")
LVIS_PROTOCOLS = ("ov-lvis", "ov-lvis-minival")
LVIS_SPELLINGS = {"speaker_(stero_equipment)": "speaker_(stereo_equipment)"}  # the official file's, and the word


def coco_parts(protocol: str) -> tuple[Part, ...]:
    """Files of one of ``COCO_PROTOCOLS``; counts are those of the OVR-CNN and ViLD papers and of COCO's own files."""
    vocabulary = load_vocabulary("coco-80")
    every = vocabulary.classes
    base, novel = (tuple(every[index] for index in vocabulary.group(name)) for name in ("base", "novel"))
    both = load_vocabulary("coco-65").classes
    train, boxes, whole_train, whole_val = (107761, 665387), (4836, 28538), (118287, 665387), (5000, None)
    parts = {
        "ov-coco-65": (
            Part("instances_train2017_seen_2.json", "train", base, base, published=train),
            Part("instances_train2017_seen_2_65_cat.json", "train", base, both, published=train),
            Part("instances_val2017_all_2.json", "val", both, both, published=boxes),
        ),
        "ov-coco-80": (
            Part("instances_train2017_base.json", "train", base, every, keep_empty=True, published=whole_train),
            Part("instances_val2017_base.json", "val", base, every, keep_empty=True, published=whole_val),
            Part("instances_val2017_novel.json", "val", novel, every, keep_empty=True, published=whole_val),
        ),
        "ov-coco-constrained": (
            Part("instances_val2017_seen_2.json", "val", base, base),
            Part("instances_val2017_unseen_2.json", "val", novel, novel),
        ),
    }
    if protocol not in parts:
        raise ValueError(f"protocols of OV-COCO are {', '.join(parts)}, got {protocol!r}")
    return parts[protocol]


def lvis_parts(protocol: str, minival: MinivalRule | None = None) -> tuple[Part, ...]:
    """Files of one of ``LVIS_PROTOCOLS``.

    Args:
        minival: which pictures of val are minival; None takes those of COCO's val2017.
    """
    vocabulary = load_vocabulary("lvis-1203")
    every = vocabulary.classes
    base = tuple(every[index] for index in vocabulary.group("base"))
    if protocol == "ov-lvis":
        return (
            Part("lvis_v1_train_seen.json", "train", base, base),
            Part("lvis_v1_train_seen_1203_cat.json", "train", base, every),
            Part("lvis_v1_train_norare.json", "train", base, every, keep_empty=True, published=(100170, None)),
        )
    if protocol == "ov-lvis-minival":
        rule = minival or MinivalRule()
        name, counts = "lvis_v1_minival_inserted_image_name.json", (4809, None)
        return (Part(name, "val", every, every, keep_empty=True, images=rule, published=counts),)
    raise ValueError(f"protocols of OV-LVIS are {', '.join(LVIS_PROTOCOLS)}, got {protocol!r}")


class MinivalRule:
    """Whether a picture of LVIS val is in minival: in a list of ids or file names, else in COCO's val2017 (MDETR)."""

    def __init__(self, listed=None) -> None:
        self.listed = None if listed is None else frozenset(str(item).rsplit("/", 1)[-1] for item in listed)
        self.rule = "val2017" if listed is None else sorted(self.listed)

    def __call__(self, image: dict) -> bool:
        name = file_name(image) or ""
        if self.listed is None:
            return "val2017" in image.get("coco_url", name)
        return str(image["id"]) in self.listed or name.rsplit("/", 1)[-1] in self.listed


def with_file_names(document: dict) -> dict:
    """LVIS's document with ``file_name`` (``val2017/...``) in every picture, and words spelt right.

    Raises:
        ValueError: LVIS v0.5, or classes that are rare in the file and not in the protocol, or the other way round.
    """
    _check_lvis(document["categories"])
    images = [
        {**image, "file_name": file_name(image if not image.get("coco_url") else {"coco_url": image["coco_url"]})}
        for image in document["images"]
    ]
    categories = [
        {**category, "name": LVIS_SPELLINGS.get(category["name"], category["name"])}
        for category in document["categories"]
    ]
    return {**document, "images": images, "categories": categories}


def _check_lvis(categories: list[dict]) -> None:
    """ValueError for another edition of LVIS than v1 with its 337 rare classes."""
    if len(categories) == 1230:
        raise ValueError("this is LVIS v0.5 with its 1230 classes: the protocols use LVIS v1 with 1203")
    vocabulary = load_vocabulary("lvis-1203")
    rare = {vocabulary.classes[index] for index in vocabulary.group("novel")}
    wrong = [
        name
        for name, frequency in ((LVIS_SPELLINGS.get(c["name"], c["name"]), c.get("frequency")) for c in categories)
        if frequency is not None and (frequency == "r") != (name in rare)
    ]
    if wrong:
        raise ValueError(
            f"{len(wrong)} classes are rare in the file and not in OV-LVIS, or the other way round, such as {wrong[:5]}"
        )
