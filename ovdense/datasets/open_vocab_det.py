"""Detection data in COCO's or LVIS's format, with the base and novel classes of a vocabulary."""

from __future__ import annotations

import copy
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmengine.fileio import get_local_path

from ovdense.datasets.coco_splits import file_name
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


@DATASETS.register_module()
class OpenVocabDetDataset(CocoDataset):
    """mmdet's ``CocoDataset`` whose labels follow a vocabulary by name, whatever the order of the file.

    The stock class drops classes that the file lacks without a word, which shifts the labels of all that follow; here
    they are an error. LVIS needs no ``lvis`` package: file names come from ``coco_url``.

    Args:
        vocabulary: what ``load_vocabulary`` takes; None takes the classes of the file, by id.
        protocol: name of the protocol, which is said with every figure.
        source: what to say to who lacks the file.
        kwargs: as in ``CocoDataset``.

    Raises:
        FileNotFoundError: no annotation file.
        ValueError: classes that the file does not have.
    """

    METAINFO: dict = {}

    def __init__(self, *args, vocabulary=None, protocol: str | None = None, source: str = "", **kwargs) -> None:
        self.source = source
        metainfo = dict(kwargs.pop("metainfo", None) or {})
        if vocabulary is not None:
            metainfo = vocabulary_meta(load_vocabulary(vocabulary)) | metainfo
        metainfo["protocol"] = protocol
        super().__init__(*args, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a picture, with its boxes."""
        if "://" not in self.ann_file and not Path(self.ann_file).is_file():
            raise FileNotFoundError(
                f"no {self.ann_file}: {self.source or 'give a json in COCO format'}; its place is set by --cfg-options "
                "test_dataloader.dataset.data_root=FOLDER"
            )
        with get_local_path(self.ann_file, backend_args=self.backend_args) as path:
            self.coco = self.COCOAPI(path)
        self._metainfo["ann_file"] = self.ann_file  # where metrics find the truth
        categories = self.coco.dataset["categories"]
        if "classes" not in self._metainfo:
            names = tuple(one["name"] for one in sorted(categories, key=lambda one: one["id"]))
            self._metainfo.update(vocabulary_meta(load_vocabulary(list(names), duplicates="keep")))
        self.cat_ids = category_ids(categories, self._metainfo["classes"], self.ann_file)
        self.cat2label = {category: label for label, category in enumerate(self.cat_ids)}
        self.cat_img_map = copy.deepcopy(self.coco.cat_img_map)
        entries = []
        for number in self.coco.get_img_ids():
            image = dict(self.coco.load_imgs([number])[0], img_id=number)
            image["file_name"] = self._file_of(image)
            annotations = self.coco.load_anns(self.coco.get_ann_ids(img_ids=[number]))
            entries.append(self.parse_data_info(dict(raw_ann_info=annotations, raw_img_info=image)))
        del self.coco
        return entries

    def _file_of(self, image: dict) -> str:
        """LVIS v1 gives ``coco_url`` alone; LVIS v0.5 names files of COCO 2014, which lie in 2017's folders."""
        name = image.get("file_name")
        return file_name(dict(coco_url=image["coco_url"])) if name is None or name.startswith("COCO_") else name


def vocabulary_meta(vocabulary) -> dict:
    """METAINFO of a vocabulary: classes, palette, groups, and mmdet's ``base_classes`` and ``novel_classes``."""
    names = vocabulary.classes
    groups = {name: list(members) for name, members in vocabulary.groups.items()}
    meta = dict(classes=names, palette=[tuple(color) for color in vocabulary.palette], groups=groups)
    for group in ("base", "novel"):
        if group in groups:
            meta[f"{group}_classes"] = tuple(names[index] for index in groups[group])
    return meta


def category_ids(categories: list[dict], names, where: str = "the annotations") -> list[int]:
    """Category id of every class by name, in the order of ``names``.

    A name that the file spells otherwise is found by its place, where the file has as many classes and all the others
    stand where they should (LVIS v1 writes ``speaker_(stero_equipment)``).

    Raises:
        ValueError: classes that the file does not have, by name.
    """
    by_id = sorted(categories, key=lambda one: one["id"])
    known = {one["name"]: one["id"] for one in by_id}
    missing = [name for name in names if name not in known]
    if missing and len(by_id) == len(names):
        apart = [index for index, (one, name) in enumerate(zip(by_id, names)) if one["name"] != name]
        if len(apart) == len(missing) <= 3:
            known.update({names[index]: by_id[index]["id"] for index in apart})
            missing = []
    if missing:
        raise ValueError(
            f"{where} lacks {len(missing)} of the {len(names)} classes, such as {missing[:5]}: it has {len(known)}, "
            f"such as {list(known)[:5]}. Use the file of the same protocol, or its own vocabulary"
        )
    return [known[name] for name in names]
