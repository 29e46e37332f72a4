"""COCO's and ADE20K's panoptic annotations for ``LoadPanopticMap`` and ``PanopticQuality``, without panopticapi."""

from __future__ import annotations

from mmdet.datasets import ADE20KPanopticDataset, CocoPanopticDataset

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
