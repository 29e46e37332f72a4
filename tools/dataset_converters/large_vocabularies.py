"""The vocabularies of the mask classifiers: ADE20K-847, PASCAL Context 459, VOC-20b, and fc-clip's synonyms of others.

``make_vocabularies.py`` writes them.

Where the lists come from: ADE20K's 847 classes with their numbers in the full 2021 index and their order are those of
MaskFormer's ``register_ade20k_full.py`` (``ade20k_full_847.txt``: number, then the names of the index); the synonyms
for prompts are those of fc-clip's ``ade20k_847_with_prompt_eng.txt`` (``ade20k_full_847_synonyms.txt`` has what
differs) and ``pascal_ctx_459_with_prompt_eng.txt`` (``pascal_context_459.txt``, in the order of PASCAL Context's
``labels.txt``, each line's first name that of the data set), ``coco_panoptic``, ``pascal_ctx_59`` and ``pascal_voc_21``
(``fcclip_synonyms.txt``; its list for ADE20K-150 was not at hand). VOC-20b is CAT-Seg's ``voc20b.json``: names of
PASCAL Context 59 that are no class of VOC stand for the background.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def full_names() -> dict[int, str]:
    """Names of the 847 classes by number in ADE20K's full index, in the order of the labels."""
    lines = (HERE / "ade20k_full_847.txt").read_text(encoding="utf-8").splitlines()
    return {int(number): name for number, name in (line.split(" ", 1) for line in lines)}


def fcclip_synonyms(shipped: dict[str, dict]) -> dict[str, dict]:
    """``coco-fcclip-133`` and others: classes, colours and groups of the data sets, other phrases."""
    sections: dict[str, list[list[str]]] = {}
    for line in (HERE / "fcclip_synonyms.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            phrases = sections.setdefault(line.strip("[]"), [])
        else:
            phrases.append(phrases_of(line))
    voc = sections["voc-21"]
    found = {
        "coco-fcclip-133": with_phrases(shipped["coco-133"], sections["coco-133"]),
        "pascal-context-fcclip-59": with_phrases(shipped["pascal-context-59"], sections["pascal-context-59"]),
        "voc-fcclip-20": with_phrases(shipped["voc-20"], voc[1:]),
        "voc-fcclip-21": with_phrases(shipped["voc-21"], voc),
    }
    found["voc-fcclip-21"]["background"] = dict(policy="names", names=voc[0])
    return found


def with_phrases(content: dict, phrases: list[list[str]]) -> dict:
    """A data set's content with other phrases; different classes may share one."""
    if len(phrases) != len(content["classes"]):
        raise ValueError(f"{len(content['classes'])} classes need as many lines of phrases, got {len(phrases)}")
    return {**content, "phrases": phrases, "duplicates": "keep"}


def cityscapes_panoptic(content: dict) -> dict:
    """``cityscapes-19`` in the order of panoptic annotations: its 8 things first."""
    order = [*content["groups"]["thing"], *content["groups"]["stuff"]]
    things = len(content["groups"]["thing"])
    return dict(
        classes=[content["classes"][index] for index in order],
        groups=dict(thing=list(range(things)), stuff=list(range(things, len(order)))),
        colors=[content["colors"][index] for index in order],
    )


def large_vocabularies(shipped: dict[str, dict]) -> dict[str, dict]:
    """Json content by vocabulary name, of some derived from what is ``shipped``."""
    context59, voc21 = shipped["pascal-context-59"]["classes"], shipped["voc-21"]
    names, synonyms = full_names(), (HERE / "ade20k_full_847_synonyms.txt").read_text(encoding="utf-8")
    changed = {int(number): rest for number, rest in (line.split(" ", 1) for line in synonyms.splitlines())}
    full = [phrases_of(changed.get(number, name)) for number, name in names.items()]
    context = [phrases_of(line) for line in (HERE / "pascal_context_459.txt").read_text(encoding="utf-8").splitlines()]
    first = [line[0] for line in context]
    rest = [name for name in context59 if name not in (*voc21["classes"], "table")]  # VOC's diningtable
    background = dict(policy="names", names=rest)
    return {
        # Different classes share a word (pot, bag, stone): each keeps it, and of equal scores the first class wins.
        "ade20k-847": entry(list(names.values()), [[name.split(",")[0]] for name in names.values()]),
        "ade20k-fcclip-847": entry(list(names.values()), full),
        "pascal-context-459": entry(first, None),
        "pascal-context-fcclip-459": entry(first, context),
        "voc-catseg-21": {**voc21, "background": background},
        "cityscapes-panoptic-19": cityscapes_panoptic(shipped["cityscapes-19"]),
        **fcclip_synonyms(shipped),
    }


def phrases_of(names: str) -> list[str]:
    """Names separated by commas, each once."""
    return list(dict.fromkeys(" ".join(name.split()) for name in names.split(",") if name.strip()))


def entry(classes: list[str], phrases: list[list[str]] | None) -> dict:
    content = dict(classes=[" ".join(name.split()) for name in classes])
    return {**content, **({} if phrases is None else dict(phrases=phrases)), "duplicates": "keep"}
