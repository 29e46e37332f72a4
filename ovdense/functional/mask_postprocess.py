"""From class probabilities and mask logits of proposals to semantic, panoptic and instance results.

The same results as the official post-processing of Mask2Former (arXiv 2112.01527) and FC-CLIP for any order of the
classes, in bounded memory: masks are enlarged in bands of lines, or some proposals at a time, and neither all
proposals nor all classes ever exist at the size of the picture.

Shapes: Q proposals, K classes (void is column K), h x w grid of the mask logits, H x W output, N instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.panoptic import INSTANCE_OFFSET
from ovdense.functional.region_pooling import mask_boxes
from ovdense.functional.resample import AxisMatrix, apply_separable, bilinear_axis

BAND_ELEMENTS = 1 << 22  # numbers of a band: 16 MB in float32


@dataclass(frozen=True)
class ResizedMasks:
    """Mask logits (Q,h,w) that are read at the size of the output, never all at once.

    Args:
        logits: (Q,h,w).
        rows, cols: the way of each axis from the grid to the output; None where the grid is the output.
    """

    logits: Tensor
    rows: AxisMatrix | None = None
    cols: AxisMatrix | None = None

    @classmethod
    def resize(
        cls,
        logits: Tensor,
        *,
        padded: tuple[int, int],
        valid: tuple[int, int] | None = None,
        size: tuple[int, int] | None = None,
        flip: tuple[bool, bool] = (False, False),
    ) -> ResizedMasks:
        """Bilinear to the network's input, cut to the picture, bilinear to the output, as one step.

        Args:
            padded: (H, W) of the network's input with padding, which lies right and below.
            valid: (H, W) of the picture in it; None for all of it.
            size: (H, W) of the output; None for ``valid``.
            flip: whether the input was mirrored vertically and horizontally.
        """
        valid = padded if valid is None else valid
        size = valid if size is None else size
        axes = []
        for cells, whole, part, out, mirrored in zip(logits.shape[-2:], padded, valid, size, flip):
            axis = bilinear_axis(cells, whole)[:part]
            if mirrored:
                axis = axis[torch.arange(part - 1, -1, -1)]
            axes.append(axis if out == part else bilinear_axis(part, out).after(axis))
        return cls(logits, *(axis.to(logits.device) for axis in axes))

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: Tensor | slice) -> ResizedMasks:
        """Some of the proposals."""
        return ResizedMasks(self.logits[index], self.rows, self.cols)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the output."""
        if self.rows is None or self.cols is None:
            return self.logits.shape[-2], self.logits.shape[-1]
        return len(self.rows), len(self.cols)

    def full(self) -> Tensor:
        """Logits (Q,H,W), float32."""
        return self._lines(slice(0, self.size[0]))

    def bands(self, channels: int = 0) -> Iterator[tuple[slice, Tensor]]:
        """(lines, logits (Q,r,W) float32) from top to bottom; ``channels``: what else the caller holds of a pixel."""
        height, width = self.size
        step = max(1, BAND_ELEMENTS // (max(len(self) + channels, 1) * width))
        for top in range(0, height, step):
            lines = slice(top, min(top + step, height))
            yield lines, self._lines(lines)

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """(proposals, logits (q,H,W) float32), some proposals at a time."""
        height, width = self.size
        step = max(1, BAND_ELEMENTS // (height * width))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            yield part, self[part].full()

    def _lines(self, lines: slice) -> Tensor:
        if self.rows is None or self.cols is None:
            return self.logits[:, lines].float()
        if not len(self):
            return self.logits.new_zeros((0, lines.stop - lines.start, len(self.cols)), dtype=torch.float32)
        rows = self.rows[lines]
        low, high = int(rows.index.min()), int(rows.index.max()) + 1
        band = AxisMatrix(rows.index - low, rows.weight, high - low)
        return apply_separable(self.logits[:, low:high].float(), band, self.cols)


def as_resized(masks: Tensor | ResizedMasks) -> ResizedMasks:
    """Mask logits (Q,H,W) that have the size of the output already."""
    if isinstance(masks, ResizedMasks):
        return masks
    if masks.ndim != 3:
        raise ValueError(f"mask logits of one picture are (Q, H, W), got {tuple(masks.shape)}")
    return ResizedMasks(masks)


def semantic_bands(probabilities: Tensor, masks: Tensor | ResizedMasks) -> Iterator[tuple[slice, Tensor]]:
    """(lines, class scores (K,r,W)) from top to bottom: class probability times mask probability, over all proposals.

    Args:
        probabilities: (Q,K) of the classes, without void.
        masks: mask logits.
    """
    masks = as_resized(masks)
    weights = probabilities.float().T
    for lines, logits in masks.bands(channels=weights.shape[0]):
        yield lines, torch.einsum("kq,qhw->khw", weights, logits.sigmoid())


def semantic_scores(probabilities: Tensor, masks: Tensor | ResizedMasks) -> Tensor:
    """All class scores (K,H,W); for small pictures and vocabularies, see ``semantic_labels``."""
    return torch.cat([scores for _, scores in semantic_bands(probabilities, masks)], dim=1)


def semantic_labels(probabilities: Tensor, masks: Tensor | ResizedMasks) -> Tensor:
    """Best class of every pixel, (Q,K) x (Q,h,w) -> (H,W) int64; class 0 everywhere without proposals."""
    masks = as_resized(masks)
    labels = torch.zeros(masks.size, dtype=torch.int64, device=masks.logits.device)
    for lines, scores in semantic_bands(probabilities, masks):
        labels[lines] = scores.argmax(dim=0)
    return labels


def panoptic_segments(
    probabilities: Tensor,
    masks: Tensor | ResizedMasks,
    things: Tensor,
    *,
    score_thr: float = 0.0,
    overlap_thr: float = 0.8,
) -> tuple[Tensor, list[dict]]:
    """Panoptic segments (H,W) int32, 0 = void, and what each is: ``id``, ``label``, ``isthing``, ``score``.

    Proposals whose best class is void or whose score is not above ``score_thr`` are left out. The others share out the
    pixels by score times mask probability; one that keeps less than ``overlap_thr`` of its mask goes. Stuff of a class
    is one segment, which has the score of its first part.

    Args:
        probabilities: (Q,K+1), void last.
        masks: mask logits.
        things: (K,) bool.
    """
    masks = as_resized(masks)
    scores, labels = probabilities.float().max(dim=-1)
    keep = (labels != len(things)) & (scores > score_thr)
    scores, labels, masks = scores[keep], labels[keep].tolist(), masks[keep]
    result = torch.zeros(masks.size, dtype=torch.int32, device=scores.device)
    if not labels:
        return result, []
    owner, inside, sizes = _share_out(scores, masks)
    won = torch.bincount(owner.flatten(), minlength=len(labels)).tolist()
    left = torch.bincount(owner[inside], minlength=len(labels)).tolist()
    segments, stuff = [], {}
    segment_of = torch.zeros(len(labels), dtype=torch.int32)
    for index, label in enumerate(labels):
        if not left[index] or won[index] / sizes[index] < overlap_thr:
            continue
        isthing = bool(things[label])
        if not isthing and label in stuff:
            segment_of[index] = stuff[label]
            continue
        segments.append(dict(id=len(segments) + 1, label=label, isthing=isthing, score=float(scores[index])))
        segment_of[index] = len(segments)
        if not isthing:
            stuff[label] = len(segments)
    result[inside] = segment_of.to(owner.device)[owner[inside]]
    return result, segments


def _share_out(scores: Tensor, masks: ResizedMasks) -> tuple[Tensor, Tensor, list[int]]:
    """Owner of each pixel (H,W), whether it lies inside of its owner's mask, and the pixels of each mask."""
    owner = torch.zeros(masks.size, dtype=torch.int64, device=scores.device)
    inside = torch.zeros(masks.size, dtype=torch.bool, device=scores.device)
    sizes = torch.zeros(len(masks), dtype=torch.int64, device=scores.device)
    for lines, logits in masks.bands(channels=len(masks)):
        chances = logits.sigmoid()
        best = (scores[:, None, None] * chances).argmax(dim=0)
        owner[lines] = best
        inside[lines] = chances.gather(0, best[None])[0] >= 0.5
        sizes += (chances >= 0.5).flatten(1).sum(dim=1)
    return owner, inside, sizes.tolist()


def panoptic_labels(segment_map: Tensor, segments: list[dict], num_classes: int) -> Tensor:
    """mmdet's panoptic map (H,W) int64 of segments: class + 1000 * instance, instances of things from 1; void is K.

    Raises:
        ValueError: more classes than the encoding holds.
    """
    if num_classes >= INSTANCE_OFFSET:
        raise ValueError(
            f"a panoptic map holds fewer than {INSTANCE_OFFSET} classes, got {num_classes}: turn it off "
            "(test_cfg=dict(panoptic_on=False)) or name fewer classes"
        )
    values, instance = [num_classes], 0
    for segment in segments:
        instance += segment["isthing"]
        values.append(segment["label"] + INSTANCE_OFFSET * instance * segment["isthing"])
    return torch.tensor(values, device=segment_map.device)[segment_map.long()]


@dataclass
class MaskInstances:
    """Instances of one picture: ``scores`` (N,), ``labels`` (N,), ``masks`` (N,H,W) bool, ``boxes`` (N,4) xyxy, and the
    proposal ``index`` (N,) of each."""

    scores: Tensor
    labels: Tensor
    masks: Tensor
    boxes: Tensor
    index: Tensor


def top_instances(
    probabilities: Tensor, masks: Tensor | ResizedMasks, things: Tensor, *, max_per_img: int = 100
) -> MaskInstances:
    """The best (proposal, class) pairs as instances; a score is class probability times mean mask probability inside.

    As in the official code the best ``max_per_img`` pairs of all classes are taken first and stuff is dropped from
    them then. Instances come in no particular order.

    Args:
        probabilities: (Q,K) of the classes, without void.
        masks: mask logits.
        things: (K,) bool.
    """
    masks = as_resized(masks)
    scores = probabilities.float().flatten()
    scores, pairs = scores.topk(min(max_per_img, len(scores)), sorted=False)
    index, labels = pairs // len(things), pairs % len(things)
    keep = things.to(labels.device)[labels]
    scores, index, labels = scores[keep], index[keep], labels[keep]
    height, width = masks.size
    found = torch.zeros((len(index), height, width), dtype=torch.bool, device=scores.device)
    quality = torch.zeros_like(scores)
    for part, logits in masks[index].chunks():
        inside = logits > 0
        found[part] = inside
        inside = inside.flatten(1).float()
        quality[part] = (logits.sigmoid().flatten(1) * inside).sum(1) / (inside.sum(1) + 1e-6)
    return MaskInstances(scores * quality, labels, found, mask_boxes(found), index)
