"""Generated scenes with a phrase and its mask, for models that segment what a phrase says."""

from __future__ import annotations

import numpy as np
from mmseg.datasets import BaseSegDataset

from ovdense.datasets.scenes.base import GeneratedScenes
from ovdense.datasets.scenes.generator import IGNORE_LABEL, Scene
from ovdense.registry import DATASETS


@DATASETS.register_module()
class ScenesPhraseDataset(GeneratedScenes, BaseSegDataset):
    """Scenes with one name of the vocabulary each: a label map of 1 on it, 0 elsewhere, 255 where nothing is known.

    In test mode the name is a fixed one of those to be seen; in training a random one, or one that is not there.
    See ``GeneratedScenes`` for the options; those of mmseg's ``BaseSegDataset`` are taken as well.

    Args:
        negative_prob: share of names that are not to be seen, in training.
    """

    METAINFO = dict(classes=("background", "phrase"), palette=[[0, 0, 0], [255, 60, 60]])

    def __init__(
        self,
        *,
        vocabulary="scenes-48",
        objects=None,
        split: str = "train",
        num_scenes: int = 1000,
        first_scene: int = 0,
        generator: dict | None = None,
        fixed: str | None = None,
        negative_prob: float = 0.2,
        **kwargs,
    ) -> None:
        self._set_up_scenes(vocabulary, objects, split, num_scenes, first_scene, generator, fixed)
        self.negative_prob = negative_prob
        super().__init__(**kwargs)

    def _labels(self, scene: Scene) -> dict:
        labels = scene.semantic_as(self.vocabulary.classes)
        shown = [int(label) for label in np.unique(labels) if label != IGNORE_LABEL]
        if self.test_mode and shown:
            label = shown[int(scene.semantic.sum()) % len(shown)]
        elif shown and np.random.rand() >= self.negative_prob:
            label = int(np.random.choice(shown))
        else:
            absent = [label for label in range(self.vocabulary.num_classes) if label not in shown]
            label = int(np.random.choice(absent))
        mask = (labels == label).astype(np.uint8)
        mask[labels == IGNORE_LABEL] = IGNORE_LABEL
        phrase = dict(phrase=self.vocabulary.classes[label], phrase_class=label)
        return dict(gt_seg_map=mask, seg_fields=[] if self.test_mode else ["gt_seg_map"], **phrase)
