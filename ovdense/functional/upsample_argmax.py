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

from collections.abc import Callable

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, apply_axis, apply_separable, bilinear_axis
from ovdense.functional.tiles import TilePlan, plan_tiles

# Elements of a temporary tensor: knots x classes of a band, and pixels x 1 of a group of tiles.
BAND_ELEMENTS = 1 << 20
TILE_ELEMENTS = 1 << 16
DENSE_ELEMENTS = 1 << 22
# Below this many outputs per tile bounds cost more than they save.
MIN_TILE_AREA = 8


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
    plans = (plan_tiles(rows).to(logits.device), plan_tiles(cols).to(logits.device))
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
    area = plans[0].mean_length * plans[1].mean_length
    if len(grid) == 1 and best is None and bound < float("inf"):
        labels.zero_()
    elif bound < float("inf") and area >= MIN_TILE_AREA and len(grid) > 1:
        _tiled_winners(grid, plans, bound, labels, best)
    else:
        _dense_winners(grid, rows, cols, labels, best)


def _dense_winners(grid: Tensor, rows: AxisMatrix, cols: AxisMatrix, labels: Tensor, best: Tensor | None) -> None:
    """Running maximum over chunks of classes and bands of rows: for non-finite logits and for shrinking."""
    band = max(DENSE_ELEMENTS // max(len(cols), 1) // 8, 1)
    for top in range(0, len(rows), band):
        part = rows[slice(top, top + band)]
        value = label = None
        for phrase, plane in _planes(grid, part, cols):
            if value is None:
                value, label = plane.clone(), torch.zeros_like(plane, dtype=torch.int64)
                continue
            better = (plane > value) | (plane.isnan() & ~value.isnan())
            value = torch.where(better, plane, value)
            label.masked_fill_(better, phrase)
        labels[top : top + band] = label
        if best is not None:
            best[top : top + band] = value


def _planes(grid: Tensor, rows: AxisMatrix, cols: AxisMatrix):
    """(phrase, (h, W) map) of every phrase of a band of rows, computed some phrases at a time."""
    low, high = int(rows.index.min()), int(rows.index.max()) + 1
    rows = AxisMatrix(rows.index - low, rows.weight, high - low)
    chunk = max(DENSE_ELEMENTS // (max(len(rows), high - low) * len(cols)), 1)
    for start in range(0, len(grid), chunk):
        block = apply_separable(grid[start : start + chunk, low:high], rows, cols)
        yield from enumerate(block, start)


def _tiled_winners(
    grid: Tensor, plans: tuple[TilePlan, TilePlan], bound: float, labels: Tensor, best: Tensor | None
) -> None:
    plan_y, plan_x = plans
    slack = bound * (2 * (plan_y.slack + plan_x.slack) + 16 * torch.finfo(grid.dtype).eps)
    per_row = len(grid) * max(plan_x.num_knots, grid.shape[2])
    step = max(BAND_ELEMENTS // per_row, 1)
    cells = plan_y.cell.tolist()
    start = 0
    while start < len(cells):
        stop = start + 1
        while stop < len(cells) and cells[stop] < cells[start] + step:
            stop += 1
        out_rows = ((plan_y.tile >= start) & (plan_y.tile < stop)).nonzero().flatten()
        part = slice(int(out_rows[0]), int(out_rows[-1]) + 1)
        _band(grid, plans, (start, stop), slack, labels[part], None if best is None else best[part], part)
        start = stop


def _band(grid, plans, tiles: tuple[int, int], slack: float, labels: Tensor, best: Tensor | None, out: slice) -> None:
    """Labels of the tile rows ``tiles[0] <= t < tiles[1]``."""
    plan_y, plan_x = plans
    start, stop = tiles
    first_cell, last_cell = int(plan_y.cell[start]), int(plan_y.cell[stop - 1])
    first_knot = first_cell * plan_y.stride
    last_knot = min(int(plan_y.far[stop - 1]), plan_y.num_knots - 1)
    last_knot = max(last_knot, min(last_cell * plan_y.stride + 1, plan_y.num_knots - 1))
    knots = _knot_values(grid, plan_y, first_knot, last_knot, plan_x)
    table, count = _candidates(knots, plan_y, plan_x, slack)

    # Tiles of the band by number of candidates, most first: rank j then concerns a prefix of them.
    tall, wide = stop - start, len(plan_x.cell)
    tile_y = torch.arange(tall, device=grid.device).repeat_interleave(wide)
    tile_x = torch.arange(wide, device=grid.device).repeat(tall)
    cell = (plan_y.cell[start:stop] - first_cell)[tile_y] * plan_x.num_cells + plan_x.cell[tile_x]
    order = count[cell].argsort(descending=True, stable=True)
    height, width = len(plan_y.near_weight), len(plan_x.near_weight)
    winner = torch.empty(tall * wide, height * width, dtype=torch.int32, device=grid.device)
    value = None if best is None else torch.empty(winner.shape, dtype=grid.dtype, device=grid.device)
    group = max(TILE_ELEMENTS // (height * width), 1) if grid.device.type == "cpu" else 16 * TILE_ELEMENTS
    for begin in range(0, len(order), group):
        chosen = order[begin : begin + group]
        ty, tx = tile_y[chosen] + start, tile_x[chosen]
        corners = (plan_y.near[ty] - first_knot, plan_y.far[ty] - first_knot, plan_x.near[tx], plan_x.far[tx])
        weights = (
            plan_y.near_weight[:, None, ty],
            plan_y.far_weight[:, None, ty],
            plan_x.near_weight[:, tx],
            plan_x.far_weight[:, tx],
        )
        label, top = _evaluate(knots, table[:, cell[chosen]], count[cell[chosen]], corners, weights, value is not None)
        winner[chosen] = label.flatten(0, 1).T.to(torch.int32)
        if value is not None:
            value[chosen] = top.flatten(0, 1).T
    # From tiles to pixels.
    pixel_y = (plan_y.tile[out] - start) * wide * height * width + plan_y.place[out] * width
    pixel_x = plan_x.tile * height * width + plan_x.place
    pixel = pixel_y[:, None] + pixel_x
    labels.copy_(winner.take(pixel))
    if value is not None:
        best.copy_(value.take(pixel))


def _knot_values(grid: Tensor, plan_y: TilePlan, first: int, last: int, plan_x: TilePlan) -> Tensor:
    """(S, k, Kx) values at the knots ``first..last`` of the rows and all knots of the columns."""
    if plan_y.knots is None:
        out = grid[:, first : last + 1]
    else:
        rows = plan_y.knots[slice(first, last + 1)]
        low, high = int(rows.index.min()), int(rows.index.max()) + 1
        out = apply_axis(grid[:, low:high], AxisMatrix(rows.index - low, rows.weight.to(grid), high - low), 1)
    if plan_x.knots is not None:
        out = apply_axis(out, plan_x.knots.to(grid.device, grid.dtype), 2)
    return out.contiguous()


def _pairwise(values: Tensor, plan: TilePlan, dim: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Combine the two knots of every cell along a dimension."""
    size = values.shape[dim]
    if size == 1:
        return values
    if plan.stride == 1:
        return combine(values.narrow(dim, 0, size - 1), values.narrow(dim, 1, size - 1))
    pairs = values.unflatten(dim, (size // 2, 2))
    return combine(pairs.select(dim + 1, 0), pairs.select(dim + 1, 1))


def _candidates(knots: Tensor, plan_y: TilePlan, plan_x: TilePlan, slack: float) -> tuple[Tensor, Tensor]:
    """(n, C) phrases that can win in each of C cells, ascending, and their (C,) number."""
    high = _pairwise(_pairwise(knots, plan_x, 2, torch.maximum), plan_y, 1, torch.maximum).flatten(1)
    low = _pairwise(_pairwise(knots, plan_x, 2, torch.minimum), plan_y, 1, torch.minimum).flatten(1)
    cell, phrase = (high >= low.amax(0) - slack).T.nonzero(as_tuple=True)
    count = torch.bincount(cell, minlength=high.shape[1])
    rank = torch.arange(len(cell), device=cell.device) - (count.cumsum(0) - count)[cell]
    table = torch.zeros(int(count.max()), len(count), dtype=torch.int64, device=cell.device)
    table[rank, cell] = phrase
    return table, count


def _evaluate(knots, table: Tensor, count: Tensor, corners, weights, need_value: bool) -> tuple[Tensor, Tensor]:
    """Winning phrase and value (h, w, T) of T tiles with candidates (n, T), ordered by descending count."""
    near_y, far_y, near_x, far_x = corners
    near_wy, far_wy, near_wx, far_wx = weights
    flat, plane, line = knots.view(-1), knots.shape[1] * knots.shape[2], knots.shape[2]
    active = (count[None] > torch.arange(int(count[0]), device=count.device)[:, None]).sum(1).tolist()
    if len(active) == 1 and not need_value:
        return table[0].expand(len(near_wy), len(near_wx), -1), None
    best = rank = None
    for j, tiles in enumerate(active):
        base = table[j, :tiles] * plane
        corner = [flat.take(base + y[:tiles] * line + x[:tiles]) for y in (near_y, far_y) for x in (near_x, far_x)]
        # The arithmetic of F.interpolate on the CPU: fused multiply-add, far side first, columns before rows.
        top = (corner[1] * far_wx[:, :tiles]).addcmul_(corner[0], near_wx[:, :tiles])
        bottom = (corner[3] * far_wx[:, :tiles]).addcmul_(corner[2], near_wx[:, :tiles])
        value = (bottom * far_wy[..., :tiles]).addcmul_(top, near_wy[..., :tiles])
        if best is None:
            best, rank = value, torch.zeros(value.shape, dtype=torch.uint8, device=value.device)
            continue
        if j == 256:
            rank = rank.to(torch.int32)
        # Ranks grow, so the rank of the last improvement is the maximum of all improvements.
        better = (value > best[..., :tiles]).to(rank.dtype).mul_(j)
        torch.maximum(rank[..., :tiles], better, out=rank[..., :tiles])
        torch.maximum(best[..., :tiles], value, out=best[..., :tiles])
    shape = rank.shape
    return table.gather(0, rank.flatten(0, 1).long()).view(shape), best


def _best_to_prob(best: Tensor, grid: Tensor, rows: AxisMatrix, cols: AxisMatrix, scale: float) -> None:
    """Turn the winning logits (H, W) into softmax probabilities over all phrases, in bands of rows, in place."""
    band = max(DENSE_ELEMENTS // max(len(cols), 1) // 8, 1)
    for top in range(0, len(rows), band):
        part = best[top : top + band]
        total = torch.zeros_like(part)
        for _, plane in _planes(grid, rows[slice(top, top + band)], cols):
            total += plane.sub_(part).mul_(scale).exp_()
        part.copy_(total.reciprocal_())
