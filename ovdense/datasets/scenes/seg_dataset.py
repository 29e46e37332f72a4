"""Generated scenes with semantic labels, as an mmseg dataset."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset

from ovdense.datasets.scenes.base import GeneratedScenes
from ovdense.datasets.scenes.generator import Scene
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS

_DEFAULT = load_vocabulary("scenes-48")


@DATASETS.register_module()
class ScenesSegDataset(GeneratedScenes, BaseSegDataset):
    """Scenes with a label map of the vocabulary's classes, 255 for everything else.

    A pipeline starts with ``LoadImage`` and needs no ``LoadAnnotations``: the scene's ``gt_seg_map`` is in place. In
    test mode transforms such as ``Resize`` leave it alone, so that results are judged at the picture's own size.
    See ``GeneratedScenes`` for the options; those of mmseg's ``BaseSegDataset`` are taken as well.
    """

    METAINFO = dict(classes=_DEFAULT.classes, palette=_DEFAULT.palette)

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
        **kwargs,
    ) -> None:
        self._set_up_scenes(vocabulary, objects, split, num_scenes, first_scene, generator, fixed)
        if self.vocabulary.num_classes > 255:
            raise ValueError(f"a scene's label map holds 255 classes at most, got {self.vocabulary.num_classes}")
        groups = {name: list(members) for name, members in self.vocabulary.groups.items()}
        metainfo = dict(classes=self.vocabulary.classes, palette=self.vocabulary.palette, groups=groups)
        super().__init__(metainfo=metainfo, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes=None) -> None:
        """None: the labels are drawn in the order of the classes, whichever these are."""

    def _labels(self, scene: Scene) -> dict:
        labels = scene.semantic_as(self.vocabulary.classes)
        return dict(gt_seg_map=labels, seg_fields=[] if self.test_mode else ["gt_seg_map"], caption=scene.caption)
