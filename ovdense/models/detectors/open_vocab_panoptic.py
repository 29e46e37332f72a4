"""Panoptic segmentation by names: the detector's things in front of the pixels' stuff.

Shapes: B images of H x W pixels, K classes, h x w patch grid, S phrases.
"""

from __future__ import annotations

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ovdense.functional.panoptic import fill_stuff, paste_things
from ovdense.functional.upsample_argmax import separable_argmax
from ovdense.models.detectors.open_vocab_detector import EncodedRegions, OpenVocabDetector
from ovdense.models.segmentors.geometry import Axis, axis_matrix
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings

DEFAULT_PANOPTIC_CFG = dict(score_thr=0.0, min_visible=0.5, min_stuff_share=0.0)


@MODELS.register_module()
class OpenVocabPanopticDetector(OpenVocabDetector):
    """An ``OpenVocabDetector`` that names its regions after things and every other pixel after stuff.

    The vocabulary's groups ``thing`` and ``stuff`` say which classes are which; a class in neither is never answered.

    Args:
        stuff_head: config of a decode head that compares pixels with phrases, ``PixelTextHead``, ``MaskCLIPHead``.
        panoptic_cfg: ``score_thr`` (detections of a lower score do not enter the map), ``min_visible`` (share of a mask
            that better ones must leave), ``min_stuff_share`` (stuff that would cover a smaller share of the pixels
            outside of things gives way to the next best).
        options: those of ``OpenVocabDetector``; its generator must give masks.
    """

    def __init__(self, *, stuff_head: dict | None = None, panoptic_cfg: dict | None = None, **options) -> None:
        super().__init__(**options)
        self.stuff_head = MODELS.build(stuff_head or dict(type="PixelTextHead"))
        self.panoptic_cfg = {**DEFAULT_PANOPTIC_CFG, **(panoptic_cfg or {})}
        unknown = sorted(set(self.panoptic_cfg) - set(DEFAULT_PANOPTIC_CFG))
        if unknown:
            raise ValueError(f"panoptic_cfg has {sorted(DEFAULT_PANOPTIC_CFG)}, got {unknown}")

    @torch.no_grad()
    def decode(self, encoded: EncodedRegions, data_samples: list | None = None) -> list[DetDataSample]:
        """Detections of an encoded batch as the detector gives them, of things alone, and the panoptic map.

        Each sample gets ``pred_panoptic_seg.sem_seg`` (1,H,W) int64 of the original picture's size: class + 1000 *
        instance; K is void.

        Raises:
            ValueError: a vocabulary without things or stuff, or proposals without masks.
        """
        data_samples = super().decode(encoded, data_samples)
        for index, sample in enumerate(data_samples):
            panoptic = self._fuse(encoded, index, sample.pred_instances)
            sample.pred_panoptic_seg = PixelData(sem_seg=panoptic[None])
        return data_samples

    def _decode_one(self, encoded: EncodedRegions, index: int, embeddings: ClassEmbeddings) -> InstanceData:
        """Detections of things, with labels of the whole vocabulary."""
        members = torch.as_tensor(self._members("thing"), device=embeddings.rows.device)
        found = super()._decode_one(encoded, index, embeddings.subset(members.tolist()))
        found.labels = members[found.labels]
        return found

    def _members(self, kind: str) -> tuple[int, ...]:
        groups = self.vocabulary.groups
        if not groups.get(kind):
            raise ValueError(
                "a panoptic map needs a vocabulary with the groups 'thing' and 'stuff', for instance "
                f"dict(source=[...], groups=dict(thing=[...], stuff=[...])); got the groups {sorted(groups)}"
            )
        return self.vocabulary.group(kind)

    def _fuse(self, encoded: EncodedRegions, index: int, found: InstanceData) -> Tensor:
        """Panoptic map (H,W) of one image."""
        if "masks" not in found:
            raise ValueError(
                "a panoptic map needs proposals with masks: take a generator that gives masks, TinyProposalNet or "
                f"SegmentProposals, got {type(self.proposals).__name__}"
            )
        settings, count = self.panoptic_cfg, self.vocabulary.num_classes
        found = found[found.scores >= settings["score_thr"]]
        masks = found.masks.bool()
        things = paste_things(masks, found.labels, found.scores, count, min_visible=settings["min_visible"])
        allowed = torch.zeros(count, dtype=torch.bool, device=things.device)
        allowed[list(self._members("stuff"))] = True
        stuff = self._stuff(encoded, index, allowed)
        if settings["min_stuff_share"]:
            areas = torch.bincount(stuff[things == count], minlength=count)
            large = allowed & (areas >= settings["min_stuff_share"] * areas.sum())
            if large.any() and not torch.equal(large, allowed):
                stuff = self._stuff(encoded, index, large)
        return fill_stuff(things, stuff, count)

    def _stuff(self, encoded: EncodedRegions, index: int, allowed: Tensor) -> Tensor:
        """Best of the ``allowed`` classes (K,) at every pixel of one original picture, (H,W) int64."""
        embeddings, features = self.class_embeddings, encoded.features[index]
        classes = (embeddings,) if getattr(self.stuff_head, "uses_classes", False) else ()
        grids = self.stuff_head(features, embeddings.rows, *classes)
        class_index = embeddings.class_index.to(grids.device)
        rows, cols = (axis_matrix(axis) for axis in _axes(encoded, index))
        return separable_argmax(grids, rows, cols, class_index=class_index, allowed=allowed[class_index])[0]


def _axes(encoded: EncodedRegions, index: int) -> tuple[Axis, Axis]:
    """The vertical and horizontal way of an image from the patch grid to its original size."""
    features, meta = encoded.features, encoded.metainfos[index]
    full = tuple(encoded.images.shape[-2:])
    valid = tuple(meta.get("img_shape", full))[:2]
    out = tuple(meta.get("ori_shape", valid))[:2]
    left, top, right, bottom = features.padding
    return tuple(
        Axis(
            length=full[axis],
            crop=full[axis],
            stride=full[axis],
            cells=features.grid[axis],
            padding=((top, bottom), (left, right))[axis],
            cut=(0, full[axis] - valid[axis]),
            out=int(out[axis]),
        )
        for axis in (0, 1)
    )
