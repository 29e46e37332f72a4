"""Label maps that ``tools/test.py CONFIG --out FOLDER`` wrote, beside pictures and truth of the config's test data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.apis.configs import load_config
from ovdense.datasets.transforms import read_image
from ovdense.registry import DATASETS


@dataclass(frozen=True)
class StoredPrediction:
    """A picture with truth and prediction.

    Args:
        name: stem of the picture's file.
        picture: BGR uint8 (H, W, 3) at the size of the labels.
        truth: (H, W) labels, 255 not scored.
        predicted: (H, W) labels.
    """

    name: str
    picture: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


class StoredPredictions:
    """Goes through the test pictures of a config for which a folder has label maps.

    Args:
        config: file or shipped name, as for ``tools/test.py``.
        folder: what was given to ``--out``.
        options: settings of the config to change.

    Raises:
        FileNotFoundError: no such folder, or no map in it.
    """

    def __init__(self, config, folder: str | Path, options: dict | None = None) -> None:
        self.folder = Path(folder)
        self.files = {path.stem: path for path in sorted(self.folder.glob("*.png"))}
        if not self.files:
            raise FileNotFoundError(
                f"no label PNGs in {folder}: write them by tools/test.py CONFIG CHECKPOINT --out {folder}"
            )
        content = load_config(config, options)
        with DefaultScope.overwrite_default_scope(content.get("default_scope", "ovdense")):
            self.dataset = DATASETS.build(content.test_dataloader.dataset)
        self.classes = tuple(self.dataset.metainfo["classes"])
        self.palette = [tuple(color) for color in self.dataset.metainfo.get("palette") or ()]
        self.ignore_index = getattr(self.dataset, "ignore_index", 255)
        self.reduced = bool(getattr(self.dataset, "reduce_zero_label", False))

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[StoredPrediction]:
        """One after the other, in the order of the data set.

        Raises:
            ValueError: pictures of one name, whose maps overwrote each other, or a map that belongs to no picture.
            FileNotFoundError: none of the maps belongs to a picture.
        """
        seen: Counter = Counter()
        for index in range(len(self.dataset)):
            packed = self.dataset[index]
            sample = packed["data_samples"]
            name = Path(sample.img_path).stem
            seen[name] += 1
            if seen[name] > 1:
                raise ValueError(f"two pictures are called {name}, and the map of one has overwritten the other's")
            if name not in self.files:
                continue
            truth = sample.gt_sem_seg.data[0].numpy()
            yield StoredPrediction(name, self._picture(packed, truth.shape), truth, self._predicted(name))
        if not set(seen) & set(self.files):
            raise FileNotFoundError(f"no map of {self.folder} belongs to a test picture of this config")

    def _predicted(self, name: str) -> np.ndarray:
        """mmseg writes labels plus one where the data set reduces its zero label."""
        with Image.open(self.files[name]) as image:
            labels = np.asarray(image).astype(np.int64)
        return labels - 1 if self.reduced else labels

    def _picture(self, packed: dict, shape: tuple[int, int]) -> np.ndarray:
        path = packed["data_samples"].img_path
        if path and Path(path).is_file():
            picture = read_image(path)
        else:  # drawn scenes have no file
            picture = np.ascontiguousarray(packed["inputs"].numpy().transpose(1, 2, 0).astype(np.uint8))
        if picture.shape[:2] != tuple(shape):
            resized = Image.fromarray(picture[..., ::-1]).resize(shape[::-1], Image.Resampling.BILINEAR)
            picture = np.asarray(resized)[..., ::-1]
        return np.ascontiguousarray(picture)
