"""Generated scenes labelled by object or background, for saliency models."""

from __future__ import annotations

import numpy as np

from ovdense.datasets.scenes.generator import Scene
from ovdense.datasets.scenes.seg_dataset import ScenesSegDataset
from ovdense.datasets.scenes.textures import STUFF
from ovdense.registry import DATASETS

CLASSES, PALETTE = ("background", "object"), [[0, 0, 0], [255, 255, 255]]


@DATASETS.register_module()
class ScenesObjectnessDataset(ScenesSegDataset):
    """``ScenesSegDataset`` with the labels 0 for every texture and 1 for every object of the vocabulary."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._metainfo.update(classes=CLASSES, palette=PALETTE, groups={})

    def _labels(self, scene: Scene) -> dict:
        labels = super()._labels(scene)
        is_object = np.full(256, 255, np.uint8)  # what is of no class stays so
        is_object[: self.vocabulary.num_classes] = [name not in STUFF for name in self.vocabulary.classes]
        return dict(labels, gt_seg_map=is_object[labels["gt_seg_map"]])
