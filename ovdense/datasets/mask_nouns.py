"""Masked crops with the noun that each shows, for adapting a CLIP to masks (OVSeg, arXiv 2210.04150; Alpha-CLIP).

Shapes: H x W pixels of a picture, s x s pixels of a crop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.utils.data import Dataset

from ovdense.datasets.scenes.base import SPLITS, select_objects
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.sprites import TRAIN_STYLES
from ovdense.datasets.transforms import read_image
from ovdense.functional.mask_crops import mask_crops
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)


def masked_crop(
    image: np.ndarray, mask: np.ndarray, noun: str, size: int, mean: Sequence[float], whole: bool = False
) -> dict:
    """An item: ``inputs`` (3,s,s) uint8 RGB, ``masks`` (1,s,s) float of 0 and 1, and ``noun``.

    Args:
        image: (H,W,3) RGB.
        mask: (H,W) bool with at least one pixel.
        mean: colour on a 0..1 scale that stands for everything outside of the mask.
        whole: the whole picture as it is instead of the painted crop; the mask says what is meant (Alpha-CLIP).
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
    options = dict(fill=None, expand=float("inf")) if whole else dict(fill=[255 * value for value in mean])
    crops, shown = mask_crops(pixels, torch.from_numpy(np.ascontiguousarray(mask))[None].bool(), size, **options)
    return dict(inputs=crops[0].round().clamp(0, 255).byte(), masks=shown[0].float(), noun=noun)


@DATASETS.register_module()
class MaskNounDataset(BaseDataset):
    """Pairs of a mask and a noun from a file of ``tools/dataset_converters/mine_mask_nouns.py``.

    A line of the file is a json with ``image`` (path below ``data_prefix``), ``noun``, ``segmentation`` (COCO run
    lengths) and ``score``; lines without a noun say that a picture was looked at.

    Args:
        ann_file: the .jsonl file, absolute or under ``data_root``.
        data_root: folder that ``ann_file`` and ``data_prefix`` are relative to.
        data_prefix: ``img_path``, the folder of the pictures.
        size: sides of the crops.
        min_score: pairs of a lower score are left out.
        image_mean: colour outside of the masks, on a 0..1 scale.
        flip: mirror every second crop at random.
        whole: see ``masked_crop``.
        kwargs: of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(dataset_type="mask nouns")

    def __init__(
        self,
        *,
        ann_file: str,
        data_root: str = "",
        data_prefix: dict | None = None,
        size: int = 224,
        min_score: float | None = None,
        image_mean: Sequence[float] = CLIP_MEAN,
        flip: bool = False,
        whole: bool = False,
        **kwargs,
    ) -> None:
        self.size, self.min_score, self.image_mean, self.flip = size, min_score, tuple(image_mean), flip
        self.whole = whole
        super().__init__(ann_file=ann_file, data_root=data_root, data_prefix=data_prefix or dict(img_path=""), **kwargs)

    def load_data_list(self) -> list[dict]:
        """The pairs in the order of the file.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a line that is no pair, with its number; or no pairs at all.
        """
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f"no file of pairs {path}: tools/dataset_converters/mine_mask_nouns.py makes it")
        entries = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                pair = json.loads(line)
                if "noun" not in pair:
                    continue
                image, noun, segmentation = pair["image"], pair["noun"], pair["segmentation"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}, line {number}: a pair has image, noun and segmentation, got {line[:80]!r}"
                ) from error
            if self.min_score is None or pair.get("score", 1.0) >= self.min_score:
                image = str(Path(self.data_prefix["img_path"]) / image)
                entries.append(dict(img_path=image, noun=noun, segmentation=segmentation))
        if not entries:
            raise ValueError(f"{path} holds no pairs (min_score={self.min_score})")
        return entries

    def __getitem__(self, idx: int) -> dict:
        if not self._fully_initialized:
            self.full_init()
        pair = self.get_data_info(idx)
        image = read_image(pair["img_path"])[..., ::-1]
        mask = coco_mask.decode(pair["segmentation"]).astype(bool)
        if mask.shape != image.shape[:2] or not mask.any():
            raise ValueError(
                f"the mask of {pair['noun']!r} in {pair['img_path']} must have a pixel and the picture's size "
                f"{image.shape[:2]}, got {mask.shape}"
            )
        item = masked_crop(image, mask, pair["noun"], self.size, self.image_mean, self.whole)
        if self.flip and np.random.rand() < 0.5:
            item.update(inputs=item["inputs"].flip(-1), masks=item["masks"].flip(-1))
        return item


@DATASETS.register_module()
class ScenesMaskNounDataset(Dataset):
    """A masked crop of an object of each generated scene, with its name.

    Args:
        vocabulary: the vocabulary that has the objects.
        objects: what is shown: names or groups of the vocabulary.
        num_scenes: length of the dataset.
        size: sides of the crops.
        split: ``train``, ``val`` or ``test``.
        whole: see ``masked_crop``.
        generator: further options of ``SceneGenerator``; ``styles`` are ``TRAIN_STYLES`` if not given.
    """

    def __init__(
        self,
        *,
        vocabulary="scenes-143",
        objects: str | Sequence[str] | None = ("base",),
        num_scenes: int = 100_000,
        size: int = 48,
        split: str = "train",
        whole: bool = False,
        generator: dict | None = None,
    ) -> None:
        names = select_objects(load_vocabulary(vocabulary), objects)
        self.num_scenes, self.size, self.whole = num_scenes, size, whole
        self._options = {"classes": names, "styles": TRAIN_STYLES, **SPLITS[split], **(generator or {})}
        self._generator: SceneGenerator | None = None

    def __len__(self) -> int:
        return self.num_scenes

    def __getstate__(self) -> dict:
        """Data loader workers make their own generator."""
        return {**self.__dict__, "_generator": None}

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        if self._generator is None:
            self._generator = SceneGenerator(**self._options)
        while True:
            scene = self._generator[index]
            seen = [item for item in scene.objects if (scene.instances == item.instance_id).any() and not item.ignored]
            if seen:
                item = seen[index % len(seen)]
                mask = scene.instances == item.instance_id
                return masked_crop(scene.image, mask, item.name, self.size, CLIP_MEAN, self.whole)
            index += self.num_scenes
