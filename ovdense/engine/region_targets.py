"""A teacher's embeddings of a picture's regions are computed once and kept on disk.

Shapes: R regions, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.hooks import Hook
from torch import Tensor

from ovdense.engine.embedding_store import EmbeddingStore
from ovdense.registry import HOOKS


@HOOKS.register_module()
class RegionTargetHook(Hook):
    """Gives a detector that distils crops (ViLD) a store for what its teacher says, from a picture's first visit on.

    Args:
        folder: of the store; it outlives the run, so name one for each teacher and each source of proposals.
    """

    def __init__(self, *, folder: str) -> None:
        self.folder = folder

    def before_train(self, runner) -> None:
        model = getattr(runner.model, "module", runner.model)
        if not hasattr(model, "region_store"):
            raise ValueError(f"RegionTargetHook is for detectors that distil crops, got {type(model).__name__}")
        model.region_store = RegionTargetStore(self.folder)

    def after_train(self, runner) -> None:
        model = getattr(runner.model, "module", runner.model)
        if model.region_store is not None:
            model.region_store.store.flush()
            model.region_store = None


class RegionTargetStore:
    """Boxes and embeddings of a picture's regions on disk, by the picture's number.

    Boxes are kept relative to the unflipped picture, so that resized and flipped copies share them; a pipeline that
    cuts pictures must not use it.

    Args:
        folder: of an ``EmbeddingStore``; rows hold x1, y1, x2, y2 in [0, 1] and the embedding.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = EmbeddingStore(folder)

    def get(self, meta: Mapping, device) -> tuple[Tensor, Tensor] | None:
        """Boxes (R,4) in pixels of the input and embeddings (R,C); None for a picture that is not there."""
        rows = []
        while (key := f"{meta['img_id']}:{len(rows)}") in self.store:
            rows.append(self.store[key])
        if not rows:
            return None
        found = torch.stack(rows).to(device)
        return relative_boxes(found[:, :4], meta, inverse=True), found[:, 4:]

    def put(self, meta: Mapping, boxes: Tensor, embeddings: Tensor) -> None:
        """Keeps boxes (R,4) in pixels of the input and their embeddings (R,C)."""
        rows = torch.cat([relative_boxes(boxes, meta), embeddings.to(boxes)], 1)
        self.store.add([f"{meta['img_id']}:{index}" for index in range(len(rows))], rows)


def relative_boxes(boxes: Tensor, meta: Mapping, inverse: bool = False) -> Tensor:
    """Boxes (R,4) in pixels of the input <-> relative to the unflipped picture.

    Raises:
        ValueError: the picture was flipped otherwise than left to right.
    """
    height, width = tuple(meta["img_shape"])[:2]
    size = boxes.new_tensor([width, height, width, height])
    if meta.get("flip") and meta.get("flip_direction", "horizontal") != "horizontal":
        raise ValueError(f"stored regions know horizontal flips alone, got {meta['flip_direction']!r}")
    boxes = boxes if inverse else boxes / size
    if meta.get("flip"):
        boxes = torch.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
    return boxes * size if inverse else boxes
