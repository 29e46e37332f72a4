"""Labels of "resample every class to full resolution, then argmax" without holding classes x pixels.

Shapes: B images, S phrases (classes, where there are no synonyms), P x Q input grid (h x w patches, or the stacked
grids of all windows), H x W output pixels.

Method: on a tile of the output that is linear between two knots on both axes, a class can win only if its largest
corner value reaches the best smallest corner value. The few classes that remain are evaluated at every pixel with
the arithmetic of ``F.interpolate``, with a running maximum.

Exactness: labels equal the plain way on all pixels whose two best values differ by more than float rounding. One
bilinear resize on the CPU gives the very same floats as F.interpolate (for more than 3 classes and H + W > 128, where
F.interpolate takes its general route), so its labels are equal everywhere, ties included.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, apply_separable, bilinear_axis
from ovdense.functional.tile_argmax import tiled_winners
from ovdense.functional.tiles import TilePlan, plan_tiles

# Elements (classes x pixels) of a step of the routes that see every class at every pixel; least lines of a step.
BLOCK_ELEMENTS, BLOCK_LINES = 1 << 19, 8
# Below this many outputs per cell bounds cost more than they save.
MIN_CELL_AREA = 8


def upsample_argmax(
    logits: Tensor,
    size: tuple[int, int],
    *,
    align_corners: bool = False,
    class_index: Tensor | None = None,
    scale: float = 1.0,
    return_prob: bool = False,
    threshold: float | None = None,
    background_index: int = 0,
    region: tuple[int, int, int, int] | None = None,
    allowed: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Labels of bilinear upsampling (B, S, h, w) -> (B, S, H, W) and argmax over the classes.

    Args:
        logits: (B, S, h, w) patch logits, any floating dtype (half precision is computed in float32).
        size: (H, W) of the output in pixels; enlarging, shrinking and the same size all work.
        align_corners: as in F.interpolate.
        class_index: (S,) class of every phrase; a class scores as its best phrase. Default: phrase = class.
        scale: factor on the logits before the softmax; only ``return_prob`` and ``threshold`` depend on it.
        return_prob: also return the softmax probability (over all S phrases) of the winning phrase.
        threshold: pixels whose winning probability is below it get ``background_index``.
        background_index: class that pixels below the threshold get.
        region: (x1, y1, x2, y2) part of the output in pixels; only that part is computed and returned.
        allowed: (S,) bool, phrases that may win; all phrases count in the softmax.

    Returns:
        (B, H, W) int64 class labels; the lowest class wins a tie. With ``return_prob`` also (B, H, W) probabilities.
        Where a logit is not finite the result is what F.interpolate, softmax and argmax give (NaN wins).
    """
    _check_logits(logits)
    axes = []
    for inside, outside in zip(logits.shape[-2:], size):
        axes.append(bilinear_axis(inside, int(outside), align_corners=align_corners, dtype=_compute_dtype(logits)))
    rows, cols = axes
    if region is not None:
        x1, y1, x2, y2 = region
        if not (0 <= x1 < x2 <= size[1] and 0 <= y1 < y2 <= size[0]):
            raise ValueError(f"region is (x1, y1, x2, y2) inside the (H, W) = {tuple(size)} output, got {region}")
        rows, cols = rows[slice(y1, y2)], cols[slice(x1, x2)]
    return separable_argmax(
        logits,
        rows,
        cols,
        class_index=class_index,
        scale=scale,
        return_prob=return_prob,
        threshold=threshold,
        background_index=background_index,
        allowed=allowed,
    )


def separable_argmax(
    logits: Tensor,
    rows: AxisMatrix,
    cols: AxisMatrix,
    *,
    class_index: Tensor | None = None,
    scale: float = 1.0,
    return_prob: bool = False,
    threshold: float | None = None,
    background_index: int = 0,
    allowed: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Labels of ``rows @ logits @ cols.T`` (B, S, P, Q) -> (B, S, H, W) and argmax over the classes.

    Args:
        logits: (B, S, P, Q) logits on the input grid, e.g. the stacked patch grids of all windows.
        rows, cols: (H, P) and (W, Q) matrices with rows that are averages (non-negative, summing to 1).
        class_index, scale, return_prob, threshold, background_index, allowed: as in ``upsample_argmax``.

    Returns:
        (B, H, W) int64 labels, with ``return_prob`` also (B, H, W) probabilities.
    """
    _check_logits(logits)
    if (rows.size_in, cols.size_in) != tuple(logits.shape[-2:]):
        raise ValueError(
            f"the matrices take a {rows.size_in} x {cols.size_in} grid, the logits have {tuple(logits.shape[-2:])}"
        )
    phrases = _phrase_order(logits.shape[1], class_index, allowed, logits.device)
    plans = tuple(plan_tiles(axis).to(logits.device, _compute_dtype(logits)) for axis in (rows, cols))
    rows, cols = (axis.to(logits.device, _compute_dtype(logits)) for axis in (rows, cols))
    need_prob = return_prob or threshold is not None
    labels = torch.empty(len(logits), len(rows), len(cols), dtype=torch.int64, device=logits.device)
    probs = torch.empty(labels.shape, dtype=_compute_dtype(logits), device=logits.device) if need_prob else None
    for image in range(len(logits)):
        grid = logits[image].to(_compute_dtype(logits)).contiguous()
        candidates = grid if phrases is None else grid[phrases]
        _winners(candidates, rows, cols, plans, labels[image], probs[image] if need_prob else None)
        if phrases is not None:
            labels[image] = phrases[labels[image]]
        if need_prob:
            _best_to_prob(probs[image], grid, rows, cols, scale)
    if class_index is not None:
        labels = class_index.to(labels)[labels]
    if threshold is not None:
        labels.masked_fill_(probs < threshold, background_index)
    return (labels, probs) if return_prob else labels


def class_areas(labels: Tensor, num_classes: int) -> Tensor:
    """Pixels of every class, (B, H, W) labels -> (B, num_classes) int64; other labels (ignored) do not count."""
    counted = [torch.bincount(x[(x >= 0) & (x < num_classes)], minlength=num_classes) for x in labels.flatten(1)]
    return torch.stack(counted)


def _check_logits(logits: Tensor) -> None:
    if logits.ndim != 4 or not logits.is_floating_point() or min(logits.shape[1:]) < 1:
        raise ValueError(
            "logits must be a floating tensor (B, S, h, w) with at least one phrase and one patch, "
            f"got {logits.dtype} of shape {tuple(logits.shape)}"
        )


def _compute_dtype(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _phrase_order(num: int, class_index: Tensor | None, allowed: Tensor | None, device) -> Tensor | None:
    """Phrases that may win, by class (a tie goes to the lowest class), or None for all in the given order."""
    order = None
    if class_index is not None:
        if tuple(class_index.shape) != (num,):
            raise ValueError(f"class_index must have one class per phrase ({num}), got {tuple(class_index.shape)}")
        if bool((class_index[1:] < class_index[:-1]).any()):
            order = class_index.to(device).argsort(stable=True)
    if allowed is not None:
        if tuple(allowed.shape) != (num,) or not bool(allowed.any()):
            raise ValueError(f"allowed must be ({num},) bool with at least one true entry, got {tuple(allowed.shape)}")
        allowed = allowed.to(device).bool()
        order = allowed.nonzero().flatten() if order is None else order[allowed[order]]
    return order


def _winners(
    grid: Tensor,
    rows: AxisMatrix,
    cols: AxisMatrix,
    plans: tuple[TilePlan, TilePlan],
    labels: Tensor,
    best: Tensor | None,
) -> None:
    """Write the winning phrase (H, W), and its logit where ``best`` is given, of one image's grid (S, P, Q)."""
    low, high = torch.aminmax(grid)
    bound = float(torch.maximum(low.abs(), high.abs()))
    area = plans[0].cell_length * plans[1].cell_length
    if len(grid) == 1 and best is None and bound < float("inf"):
        labels.zero_()
    elif bound < float("inf") and area >= MIN_CELL_AREA and len(grid) > 1:
        tiled_winners(grid, *plans, 16 * torch.finfo(grid.dtype).eps * bound, labels, best)
    else:
        _dense_winners(grid, rows, cols, labels, best)


def _dense_winners(grid: Tensor, rows: AxisMatrix, cols: AxisMatrix, labels: Tensor, best: Tensor | None) -> None:
    """Maximum over all classes, for logits that are not finite and for shrinking or hardly enlarged grids."""
    leader = None
    for lines, start, block in _blocks(grid, rows, cols):
        value, label = block.max(0)
        if start:
            better = (value > leader) | (value.isnan() & ~leader.isnan())
            value, label = torch.where(better, value, leader), torch.where(better, label + start, labels[lines])
        leader = value
        labels[lines] = label
        if best is not None:
            best[lines] = value


def _blocks(grid: Tensor, rows: AxisMatrix, cols: AxisMatrix) -> Iterator[tuple[slice, int, Tensor]]:
    """(output lines, first class, (s, h, W) logits): bands of lines, and for each all classes, some at a time."""
    lines = max(BLOCK_ELEMENTS // (len(grid) * len(cols)), BLOCK_LINES)
    for top in range(0, len(rows), lines):
        part = slice(top, min(top + lines, len(rows)))
        index = rows.index[part]
        low, high = int(index.min()), int(index.max()) + 1
        band = AxisMatrix(index - low, rows.weight[part], high - low)
        classes = max(BLOCK_ELEMENTS // (max(len(band), high - low) * len(cols)), 1)
        for start in range(0, len(grid), classes):
            yield part, start, apply_separable(grid[start : start + classes, low:high], band, cols)


def _best_to_prob(best: Tensor, grid: Tensor, rows: AxisMatrix, cols: AxisMatrix, scale: float) -> None:
    """Turn the winning logits (H, W) into softmax probabilities over all phrases, in place."""
    winner = None
    for lines, start, block in _blocks(grid, rows, cols):
        if start == 0:
            winner = best[lines].clone()
            best[lines] = 0
        best[lines] += block.sub_(winner).mul_(scale).exp_().sum(0)
    best.reciprocal_()
