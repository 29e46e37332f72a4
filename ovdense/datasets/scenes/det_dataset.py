"""Generated scenes with boxes and masks, as an mmdet dataset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pycocotools.mask as mask_api
from mmdet.datasets.base_det_dataset import BaseDetDataset

from ovdense.datasets.scenes.base import GeneratedScenes, select_objects
from ovdense.datasets.scenes.generator import Scene
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS

_DEFAULT = load_vocabulary("scenes-127")


@DATASETS.register_module()
class ScenesDetDataset(GeneratedScenes, BaseDetDataset):
    """Scenes with the box, label and mask of every object; hidden objects carry ``ignore_flag=1``.

    A pipeline starts with ``LoadImage``; ``mmdet.LoadAnnotations`` reads the instances. ``mmdet.CocoMetric`` needs no
    ``ann_file`` when ``mmdet.PackDetInputs`` keeps the meta key ``instances``. See ``GeneratedScenes`` for the options;
    those of mmdet's ``BaseDetDataset`` are taken as well.

    Args:
        labelled: objects or groups that get boxes and masks, others stay in the picture without (base classes only in
            OV-COCO's protocol); default all of the vocabulary.
    """

    METAINFO = dict(classes=_DEFAULT.classes, palette=_DEFAULT.palette)

    def __init__(
        self,
        *,
        vocabulary="scenes-127",
        objects=None,
        labelled=None,
        split: str = "train",
        num_scenes: int = 1000,
        first_scene: int = 0,
        generator: dict | None = None,
        fixed: str | None = None,
        **kwargs,
    ) -> None:
        self._set_up_scenes(vocabulary, objects, split, num_scenes, first_scene, generator, fixed)
        classes = select_objects(self.vocabulary, None)
        self._label_of = {name: classes.index(name) for name in select_objects(self.vocabulary, labelled)}
        palette = dict(zip(self.vocabulary.classes, self.vocabulary.palette))
        metainfo = dict(classes=tuple(classes), palette=[tuple(palette[name]) for name in classes])
        metainfo["groups"] = {
            group: [
                classes.index(self.vocabulary.classes[index])
                for index in members
                if self.vocabulary.classes[index] in classes
            ]
            for group, members in self.vocabulary.groups.items()
        }
        super().__init__(metainfo=metainfo, **kwargs)

    def get_cat_ids(self, idx: int) -> list[int]:
        return [instance["bbox_label"] for instance in self.get_data_info(idx)["instances"]]

    def _labels(self, scene: Scene) -> dict:
        return dict(instances=scene_instances(scene, self._label_of), caption=scene.caption)


def scene_instances(scene: Scene, label_of: Mapping[str, int]) -> list[dict]:
    """mmdet's ``instances``, with run-length masks, of the objects that have a label; hidden ones are ignored."""
    return [
        dict(
            bbox=list(item.box),
            bbox_label=label_of[item.name],
            mask=encode_mask(scene.instances == item.instance_id),
            ignore_flag=int(item.ignored),
        )
        for item in scene.objects
        if item.name in label_of
    ]


def encode_mask(mask: np.ndarray) -> dict:
    """COCO run lengths of a boolean (H, W) mask, ``counts`` as str."""
    encoded = mask_api.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=list(encoded["size"]), counts=encoded["counts"].decode("ascii"))
