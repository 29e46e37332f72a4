"""Generated scenes with panoptic truth, as an mmdet dataset."""

from __future__ import annotations

from mmdet.datasets.base_det_dataset import BaseDetDataset

from ovdense.datasets.scenes.base import GeneratedScenes
from ovdense.datasets.scenes.det_dataset import scene_instances
from ovdense.datasets.scenes.generator import Scene
from ovdense.datasets.scenes.panoptic import panoptic_segments
from ovdense.datasets.scenes.textures import STUFF
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS

_DEFAULT = load_vocabulary("scenes-143")


@DATASETS.register_module()
class ScenesPanopticDataset(GeneratedScenes, BaseDetDataset):
    """Scenes with a panoptic map of the vocabulary's objects and textures, and the objects as instances.

    ``PanopticQuality`` reads the truth when ``mmdet.PackDetInputs`` keeps the meta key ``panoptic``:
    ``dict(ids=(H, W) int32, segments=[dict(id=, label=, iscrowd=0)])`` with id 0 for void: hidden objects, and what the
    vocabulary does not name. See ``GeneratedScenes`` for the options; those of mmdet's ``BaseDetDataset`` are taken as
    well.
    """

    METAINFO = dict(classes=_DEFAULT.classes, palette=_DEFAULT.palette)

    def __init__(
        self,
        *,
        vocabulary="scenes-143",
        objects=None,
        split: str = "train",
        num_scenes: int = 1000,
        first_scene: int = 0,
        generator: dict | None = None,
        fixed: str | None = None,
        **kwargs,
    ) -> None:
        self._set_up_scenes(vocabulary, objects, split, num_scenes, first_scene, generator, fixed)
        classes = self.vocabulary.classes
        self._label_of = {name: index for index, name in enumerate(classes)}
        palette = [tuple(color) for color in self.vocabulary.palette]
        groups = {name: list(members) for name, members in self.vocabulary.groups.items()}
        things = tuple(name for name in classes if name not in STUFF)
        stuff = tuple(name for name in classes if name in STUFF)
        metainfo = dict(classes=classes, palette=palette, thing_classes=things, stuff_classes=stuff, groups=groups)
        super().__init__(metainfo=metainfo, **kwargs)

    def _labels(self, scene: Scene) -> dict:
        ids, names = panoptic_segments(scene, self._label_of, self._label_of)
        segments = [dict(id=id_, label=self._label_of[name], iscrowd=0) for id_, name in enumerate(names, start=1)]
        instances = scene_instances(scene, self._label_of)
        return dict(panoptic=dict(ids=ids, segments=segments), instances=instances, caption=scene.caption)
