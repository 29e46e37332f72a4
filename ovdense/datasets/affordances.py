"""AGD20K: where an object affords an action, as heat maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS, TRANSFORMS


@DATASETS.register_module()
class AGD20KDataset(BaseDataset):
    """Test pictures and their heat maps: ``SETTING/testset/{egocentric,GT}/AFFORDANCE/OBJECT/NAME.{jpg,png}``.

    An entry has ``img_path``, ``heat_map_path``, ``affordance`` (index of the class) and ``object``.

    Args:
        data_root: folder with ``Seen`` and ``Unseen``.
        setting: which of the two splits of objects.
        kwargs: of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: pictures or heat maps are missing.
    """

    METAINFO = dict(classes=load_vocabulary("agd20k-36").classes, palette=load_vocabulary("agd20k-36").palette)

    def __init__(self, *, data_root: str, setting: str = "Seen", **kwargs) -> None:
        if setting not in ("Seen", "Unseen"):
            raise ValueError(f"AGD20K has the settings Seen and Unseen, got {setting!r}")
        self.setting = setting
        super().__init__(data_root=data_root, ann_file="", **kwargs)

    def load_data_list(self) -> list[dict]:
        folder = Path(self.data_root) / self.setting / "testset"
        numbers = {name.replace(" ", "_"): index for index, name in enumerate(self.metainfo["classes"])}
        images = sorted((folder / "egocentric").glob("*/*/*.jpg"))
        if not images:
            raise FileNotFoundError(
                f"no pictures in {folder / 'egocentric'}: data_root holds Seen and Unseen of AGD20K.zip; another place "
                "is set by --cfg-options test_dataloader.dataset.data_root=FOLDER"
            )
        entries = []
        for path in images:
            affordance, thing = path.parts[-3:-1]
            heat = folder / "GT" / affordance / thing / f"{path.stem}.png"
            if affordance in numbers and heat.is_file():
                entry = dict(img_path=str(path), heat_map_path=str(heat))
                entries.append(dict(entry, affordance=numbers[affordance], object=thing))
        if not entries:
            raise FileNotFoundError(
                f"none of {len(images)} pictures has a heat map in {folder / 'GT'}: unpack AGD20K.zip"
            )
        return entries


@TRANSFORMS.register_module()
class PackAffordanceInputs(BaseTransform):
    """Picture, heat map and affordance.

    Gives ``inputs`` (3, H, W) uint8 and a ``SegDataSample`` with ``gt_heat_map`` (1, H0, W0) in [0, 1] at the size of
    the file, and ``affordance`` and ``object`` among its meta data.
    """

    def transform(self, results: dict) -> dict:
        with Image.open(results["heat_map_path"]) as image:
            heat = np.asarray(image.convert("L"), np.float32) / 255
        keys = ("img_path", "ori_shape", "img_shape", "scale_factor", "affordance", "object")
        sample = SegDataSample(metainfo={key: results[key] for key in keys if key in results})
        sample.gt_heat_map = PixelData(data=torch.from_numpy(heat)[None])
        picture = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(picture), data_samples=sample)
