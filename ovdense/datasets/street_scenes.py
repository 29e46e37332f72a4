"""Street scenes in the 19 classes of Cityscapes, for domain generalisation, and Mapillary's own 66 classes."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.datasets import CityscapesDataset, MapillaryDataset_v1

from ovdense.datasets.benchmarks import BenchmarkSegDataset
from ovdense.registry import DATASETS

CONVERTER = "tools/dataset_converters/city_train_ids.py"


class StreetDataset(BenchmarkSegDataset):
    """A data set in the classes and colours of Cityscapes; label 255 is ignored."""

    METAINFO = CityscapesDataset.METAINFO


@DATASETS.register_module()
class ACDCDataset(StreetDataset):
    """ACDC: fog, night, rain and snow, pictures of 1920 x 1080.

    Args:
        split: ``train`` or ``val`` (labels of ``test`` are not public).
        conditions: which of the four; their pictures follow each other in this order.
    """

    CONDITIONS = ("fog", "night", "rain", "snow")
    defaults = dict(img_suffix="_rgb_anon.png", seg_map_suffix="_gt_labelTrainIds.png")
    source = "ACDC (rgb_anon/CONDITION/SPLIT, gt/CONDITION/SPLIT of rgb_anon_trainvaltest.zip and gt_trainval.zip)"

    def __init__(self, *, split: str = "val", conditions: Sequence[str] = CONDITIONS, **kwargs) -> None:
        conditions = (conditions,) if isinstance(conditions, str) else tuple(conditions)
        if split not in ("train", "val") or not conditions or set(conditions) - set(self.CONDITIONS):
            raise ValueError(
                f"ACDC has the splits train and val and the conditions {', '.join(self.CONDITIONS)}, got {split!r} and "
                f"{conditions}"
            )
        self.split, self.conditions = split, conditions
        kwargs.setdefault("data_prefix", dict(img_path="rgb_anon", seg_map_path="gt"))
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a picture, condition by condition."""
        whole, entries = dict(self.data_prefix), []
        try:
            for condition in self.conditions:
                self.data_prefix = {key: f"{path}/{condition}/{self.split}" for key, path in whole.items()}
                entries += [dict(entry, condition=condition) for entry in super().load_data_list()]
        finally:
            self.data_prefix = whole
        return entries


@DATASETS.register_module()
class BDD100K19Dataset(StreetDataset):
    """BDD100K semantic segmentation, pictures of 1280 x 720."""

    defaults = dict(img_suffix=".jpg", seg_map_suffix=".png")
    source = "BDD100K (images/10k, labels/sem_seg/masks of '10K Images' and 'Segmentation')"


@DATASETS.register_module()
class GTA5Dataset(StreetDataset):
    """GTA5, drawn by a game, pictures of 1914 x 1052."""

    defaults = dict(img_suffix=".png", seg_map_suffix="_labelTrainIds.png")
    source = f"GTA5 (images, labels) with the label maps that '{CONVERTER} gta5' writes (*_labelTrainIds.png)"


@DATASETS.register_module()
class Mapillary19Dataset(StreetDataset):
    """Mapillary Vistas v1.2 in the 19 classes of Cityscapes."""

    defaults = dict(img_suffix=".jpg", seg_map_suffix=".png")
    source = f"Mapillary Vistas (validation/images) with the label maps that '{CONVERTER} mapillary' writes"


@DATASETS.register_module()
class Mapillary66Dataset(BenchmarkSegDataset):
    """Mapillary Vistas v1.2, 66 classes; the last one is 'Unlabeled'."""

    METAINFO = MapillaryDataset_v1.METAINFO
    defaults = dict(img_suffix=".jpg", seg_map_suffix=".png")
    source = "Mapillary Vistas (validation/images, validation/v1.2/labels)"
