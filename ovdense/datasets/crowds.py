"""Crowds with a point for each head: ShanghaiTech A and B."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample

from ovdense.datasets.crowd_points import read_points
from ovdense.registry import DATASETS, TRANSFORMS

LABEL_FOLDERS = ("ground-truth", "ground_truth")


@DATASETS.register_module()
class CrowdPointsDataset(BaseDataset):
    """Pictures in ``images/IMG_1.jpg``, points in ``ground-truth/GT_IMG_1.mat``, .json or .npy beside that folder.

    An entry has ``img_path`` and ``gt_points`` (N, 2) float32, x and y in pixels of the picture.

    Args:
        data_root: folder of a part of ShanghaiTech, with ``train_data`` and ``test_data``.
        split: ``train`` or ``test``.
        kwargs: of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: pictures or points are missing.
    """

    METAINFO = dict(classes=("person",), palette=[(220, 20, 60)])

    def __init__(self, *, data_root: str, split: str = "test", **kwargs) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"ShanghaiTech has the splits train and test, got {split!r}")
        self.split = split
        super().__init__(data_root=data_root, ann_file="", **kwargs)

    def load_data_list(self) -> list[dict]:
        folder = Path(self.data_root) / f"{self.split}_data"
        images = sorted((folder / "images").glob("*.jpg"), key=lambda path: (len(path.stem), path.stem))
        if not images:
            raise FileNotFoundError(
                f"no pictures in {folder / 'images'}: data_root is part_A or part_B of ShanghaiTech.zip; another place "
                "is set by --cfg-options test_dataloader.dataset.data_root=FOLDER"
            )
        return [dict(img_path=str(path), gt_points=read_points(self._points_of(path))) for path in images]

    def _points_of(self, image: Path) -> Path:
        for name in LABEL_FOLDERS:
            for suffix in (".mat", ".json", ".npy"):
                path = image.parents[1] / name / f"GT_{image.stem}{suffix}"
                if path.is_file():
                    return path
        folder = image.parents[1] / LABEL_FOLDERS[0]
        raise FileNotFoundError(f"no points of {image.name}: expected is {folder}/GT_{image.stem}.mat (or .json, .npy)")


@TRANSFORMS.register_module()
class PackCrowdInputs(BaseTransform):
    """Picture and points for a counting head.

    Gives ``inputs`` (3, H, W) uint8 and a ``SegDataSample`` whose ``gt_points.points`` (N, 2) are in pixels of the
    resized picture (``scale_factor`` is applied here; crops and flips must have moved the points themselves).

    Args:
        meta_keys: what else of the results is kept.
    """

    def __init__(self, *, meta_keys=("img_path", "ori_shape", "img_shape", "scale_factor")) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        image = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        points = torch.from_numpy(np.asarray(results["gt_points"], np.float32).reshape(-1, 2))
        sample = SegDataSample(metainfo={key: results[key] for key in self.meta_keys if key in results})
        scale = torch.tensor(results.get("scale_factor", (1.0, 1.0)), dtype=torch.float32)
        sample.gt_points = InstanceData(points=points * scale)
        return dict(inputs=torch.from_numpy(image), data_samples=sample)
