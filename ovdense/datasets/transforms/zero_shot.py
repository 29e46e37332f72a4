"""Labels for training without the unseen classes."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from ovdense.models.zero_shot_splits import load_split
from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ZeroShotLabels(BaseTransform):
    """Ignores pixels of unseen classes in ``gt_seg_map`` (H, W); the rest of the label maps stays or is renumbered.

    Stands after ``LoadAnnotations`` in the pipeline of inductive training. With ``renumber`` the seen classes become 0
    to S - 1 in their order, as in ZegCLIP, so that a head of S classes is trained; otherwise they keep their numbers
    and no pixel ever has an unseen one.

    Args:
        split: name of a split, or names of the unseen classes.
        classes: classes of the data set in the order of the labels; None takes those of the split's vocabulary.
        renumber: see above.
        ignore_index: label of ignored pixels.

    Raises:
        ValueError: a label that is no class.
    """

    def __init__(self, *, split, classes=None, renumber: bool = False, ignore_index: int = 255) -> None:
        self.split = load_split(split)
        groups = self.split.groups(classes)
        total = len(groups["seen"]) + len(groups["unseen"])
        self.num_classes, self.ignore_index = total, ignore_index
        self.table = np.full(total, ignore_index, np.int64)
        self.table[groups["seen"]] = np.arange(len(groups["seen"])) if renumber else groups["seen"]

    def transform(self, results: dict) -> dict:
        labels = np.asarray(results["gt_seg_map"])
        ignored = labels == self.ignore_index
        if labels.size and labels[~ignored].max(initial=0) >= self.num_classes:
            raise ValueError(
                f"label {int(labels[~ignored].max())} is none of the {self.num_classes} classes of the split "
                f"{self.split.name!r}: does the data set have a background, or another order?"
            )
        mapped = self.table[np.where(ignored, 0, labels)]
        results["gt_seg_map"] = np.where(ignored, self.ignore_index, mapped).astype(labels.dtype)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(split={self.split.name!r}, ignore_index={self.ignore_index})"
