"""Panoptic annotations of COCO, ADE20K and Cityscapes for ``LoadPanopticMap`` and ``PanopticQuality``."""

from __future__ import annotations

from pathlib import Path

from mmdet.datasets import ADE20KPanopticDataset, CocoPanopticDataset

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


class PanopticMaps:
    """Mixin for mmdet's panoptic datasets: says which segments are crowds, and names things and stuff as groups."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        things, classes = len(self.metainfo["thing_classes"]), len(self.metainfo["classes"])
        self._metainfo["groups"] = dict(thing=list(range(things)), stuff=list(range(things, classes)))

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """One entry; mmdet marks a crowd by a class of things that is no thing."""
        info = super().parse_data_info(raw_data_info)
        things = len(self.metainfo["thing_classes"])
        for segment in info["segments_info"]:
            segment["iscrowd"] = not segment["is_thing"] and segment["category"] < things
        return info


@DATASETS.register_module()
class CocoPanopticMapsDataset(PanopticMaps, CocoPanopticDataset):
    """COCO panoptic: 80 things and 53 stuff classes, in the order of the vocabulary ``coco-133``."""


@DATASETS.register_module()
class ADE20KPanopticMapsDataset(PanopticMaps, ADE20KPanopticDataset):
    """ADE20K panoptic: 100 things and 50 stuff classes, in the order of the vocabulary ``ade20k-panoptic-150``."""


def cityscapes_meta() -> dict:
    """METAINFO of Cityscapes panoptic, things first."""
    vocabulary = load_vocabulary("cityscapes-19")
    vocabulary = vocabulary.subset([*vocabulary.group("thing"), *vocabulary.group("stuff")])
    things = len(vocabulary.group("thing"))
    return dict(
        classes=vocabulary.classes,
        thing_classes=vocabulary.classes[:things],
        stuff_classes=vocabulary.classes[things:],
        palette=vocabulary.palette,
    )


@DATASETS.register_module()
class CityscapesPanopticMapsDataset(PanopticMaps, CocoPanopticDataset):
    """Cityscapes panoptic: 8 things and 11 stuff classes, in the order of the vocabulary ``cityscapes-panoptic-19``.

    The json and the PNG files are those of cityscapesScripts' ``createPanopticImgs.py``; pictures lie in a folder of
    their city.
    """

    METAINFO = cityscapes_meta()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """One entry; the json's order of classes is not ours, and its file names are not those of the pictures."""
        places = {name: label for label, name in enumerate(self.metainfo["classes"])}
        categories = self.coco.dataset["categories"]
        unknown = [one["name"] for one in categories if one["name"] not in places]
        if unknown:
            raise ValueError(
                f"{self.ann_file} has the classes {unknown[:5]} beside the 19 that are evaluated: make it with "
                "cityscapesScripts' createPanopticImgs.py"
            )
        self.cat2label = {one["id"]: places[one["name"]] for one in categories}
        info = super().parse_data_info(raw_data_info)
        name = str(info["img_id"])
        info["img_path"] = str(Path(self.data_prefix["img"]) / name.split("_")[0] / f"{name}_leftImg8bit.png")
        info["seg_map_path"] = str(Path(self.data_prefix["seg"]) / f"{name}_gtFine_panoptic.png")
        return info
