"""Class names as each repository of the training-free methods writes them: which words are prompted moves the score.

Classes and their order stay those of the datasets; only the phrases differ. Read from the ``cls_*.txt`` and dataset
classes of wangf3014/SCLIP (NACLIP, SC-CLIP and ResCLIP take the same lists), mc-lan/ClearCLIP, mc-lan/ProxyCLIP,
zdk258/CorrCLIP, wysoczanska/clip_dinoiser (after TCL and GroupViT) and vladan-stojnic/LPOSS. ``make_vocabularies.py``
writes them.
"""

from __future__ import annotations

from collections.abc import Callable

PERSON = ["person", *(f"person in {cloth}" for cloth in ("shirt", "jeans", "dress", "sweater", "skirt", "jacket"))]
SCREEN = ["television monitor", "tv monitor", "monitor", "television", "screen"]
# What ProxyCLIP and CorrCLIP leave out of the background of COCO-Object.
INDOOR = ["lamp", "door", "window", "wardrobe", "ceiling", "shelf", "curtain", "stair", "fence"]
VOC = {"boat": ["ship"], "diningtable": ["table"]}
VOC_SCLIP = {**VOC, "person": PERSON, "tvmonitor": SCREEN}
VOC_TCL = {"diningtable": ["dining table"], "pottedplant": ["potted plant"]}
PEOPLE = {"person": ["people"]}


def protocol_vocabularies(shipped: dict[str, dict], background: list[str]) -> dict[str, dict]:
    """Json content by name, derived from that of the datasets.

    Args:
        shipped: content of ``voc-20``, ``voc-21``, ``pascal-context-59``, ... .
        background: the long list of background phrases.
    """
    word = ["background"]
    shorter = [name for name in background if name not in INDOOR]

    def derive(base: str, names: dict | None = None, background: list[str] | None = None, spell: Callable = str):
        return rewritten(shipped[base], names or {}, background, spell)

    return {
        "voc-sclip-20": derive("voc-20", VOC_SCLIP),
        "voc-sclip-21": derive("voc-21", VOC_SCLIP, background),
        "voc-clearclip-20": derive("voc-20", VOC),
        "voc-clearclip-21": derive("voc-21", VOC, word),
        "voc-proxyclip-21": derive("voc-21", VOC, background),
        "voc-corrclip-20": derive("voc-20", {**VOC, **PEOPLE}),
        "voc-corrclip-21": derive("voc-21", {**VOC, **PEOPLE}, background),
        "voc-tcl-20": derive("voc-20", VOC_TCL),
        "voc-tcl-21": derive("voc-21", VOC_TCL, word),
        "voc-lposs-21": derive("voc-21", VOC_TCL, background),
        "pascal-context-sclip-59": derive("pascal-context-59"),
        "pascal-context-sclip-60": derive("pascal-context-60", {}, word),
        "pascal-context-corrclip-59": derive("pascal-context-59", PEOPLE),
        "pascal-context-corrclip-60": derive("pascal-context-60", PEOPLE, word),
        "pascal-context-tcl-59": derive("pascal-context-59", VOC_TCL),
        "pascal-context-tcl-60": derive("pascal-context-60", VOC_TCL, word),
        "coco-object-sclip-81": derive("coco-object-81", {"person": [*PERSON, "body"]}, background),
        "coco-object-clearclip-81": derive("coco-object-81", {}, word),
        "coco-object-proxyclip-81": derive("coco-object-81", {}, shorter),
        "coco-object-corrclip-81": derive("coco-object-81", PEOPLE, shorter),
        "coco-object-tcl-81": derive("coco-object-81", {"airplane": ["aeroplane"]}, word),
        "coco-object-lposs-81": derive("coco-object-81", {"airplane": ["aeroplane"]}, shorter),
        "coco-stuff-sclip-171": derive("coco-stuff-171", spell=without_spaces),
        "coco-stuff-corrclip-171": derive("coco-stuff-171", PEOPLE, spell=without_spaces),
        "coco-stuff-tcl-171": derive("coco-stuff-171"),
        "cityscapes-sclip-19": derive("cityscapes-19", spell=without_spaces),
        "cityscapes-corrclip-19": derive("cityscapes-19", PEOPLE, spell=without_spaces),
        "ade20k-sclip-150": derive("ade20k-150", spell=without_spaces),
        "ade20k-corrclip-150": derive("ade20k-150", PEOPLE, spell=without_spaces),
    }


def without_spaces(name: str) -> str:
    """``traffic light`` as the lists of the SCLIP family have it: ``trafficlight``."""
    return name.replace(" ", "")


def rewritten(content: dict, names: dict, background: list[str] | None, spell: Callable[[str], str]) -> dict:
    """A dataset's content with other phrases: those of ``names``, else the class name through ``spell``."""
    classes = content["classes"]
    result = dict(classes=classes)
    phrases = [names.get(name, [spell(name)]) for name in classes]
    if any(items != [name] for name, items in zip(classes, phrases)):
        result["phrases"] = phrases
    if background:
        result["background"] = dict(policy="names", names=background)
    return dict(result, colors=content["colors"])
