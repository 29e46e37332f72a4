"""Pictures without labels, for heads that learn from teachers."""

from __future__ import annotations

import numpy as np

from ovdense.datasets.folder import FolderSegDataset
from ovdense.registry import DATASETS


@DATASETS.register_module()
class ImageFolderDataset(FolderSegDataset):
    """All pictures below a folder, or so many of them drawn at random; no labels are read.

    Args:
        data_root: folder of pictures; subfolders are searched as well (ImageNet's ``train``, VOC's ``JPEGImages``).
        num_images: pictures to draw without replacement, the same ones for the same seed; None or more than there are
            takes all.
        subset_seed: of that drawing.
        kwargs: of ``FolderSegDataset``.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
    """

    def __init__(
        self, *, data_root: str, num_images: int | None = None, subset_seed: int = 0, data_prefix=None, **kwargs
    ) -> None:
        if num_images is not None and num_images < 1:
            raise ValueError(f"num_images is a number of pictures above 0 or None for all, got {num_images}")
        self.num_images, self.subset_seed = num_images, subset_seed
        super().__init__(data_root=data_root, data_prefix=data_prefix or dict(img_path=""), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a picture, by name."""
        entries = super().load_data_list()
        if self.num_images is None or self.num_images >= len(entries):
            return entries
        chosen = np.random.default_rng(self.subset_seed).choice(len(entries), self.num_images, replace=False)
        return [entries[index] for index in sorted(chosen)]

    def missing_message(self, folder: str) -> str:
        """What to say when the folder is not there."""
        return f"{type(self).__name__} finds no folder {folder}: set data_root of the dataset to a folder of pictures"
