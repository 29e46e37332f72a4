"""Resizing a learnt table of position embeddings to the patch grid of the image at hand.

Published methods differ in how they resize it, and their features differ by much more than rounding, so the way is a
named mode:

- ``sclip``: bicubic, by the scale factors (h + 0.1) / g and (w + 0.1) / g, so that samples lie g / (h + 0.1) apart,
  not g / h (SCLIP, NACLIP, ClearCLIP, DINO);
- ``mmseg``: bicubic, to the size (h, w) (MaskCLIP, CLIP-DINOiser and mmseg's ViT);
- ``gem``: bicubic with antialiasing, to the size (h, w) (GEM and open_clip's checkpoint loader);
- ``bilinear``: bilinear, to the size (h, w) (DenseCLIP, ZegCLIP, ExCEL);
- ``crop``: the first h rows and w columns of a table that is large enough (DenseCLIP's detectors).

Shapes: P leading tokens without a place (class token, registers), g_h x g_w grid of the table, D channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int]


def _sclip(table: Tensor, grid: Grid) -> Tensor:
    scale = tuple((target + 0.1) / size for target, size in zip(grid, table.shape[-2:]))
    return F.interpolate(table, scale_factor=scale, mode="bicubic", recompute_scale_factor=False)


def _mmseg(table: Tensor, grid: Grid) -> Tensor:
    return F.interpolate(table, size=grid, mode="bicubic", align_corners=False)


def _gem(table: Tensor, grid: Grid) -> Tensor:
    return F.interpolate(table, size=grid, mode="bicubic", align_corners=False, antialias=True)


def _bilinear(table: Tensor, grid: Grid) -> Tensor:
    return F.interpolate(table, size=grid, mode="bilinear", align_corners=False)


def _crop(table: Tensor, grid: Grid) -> Tensor:
    if grid[0] > table.shape[-2] or grid[1] > table.shape[-1]:
        raise ValueError(
            f"position='crop' needs a table of at least {grid[0]} x {grid[1]} cells (table_side), got "
            f"{table.shape[-2]} x {table.shape[-1]}"
        )
    return table[..., : grid[0], : grid[1]]


POSITION_MODES: dict[str, Callable[[Tensor, Grid], Tensor]] = {
    "sclip": _sclip,
    "mmseg": _mmseg,
    "gem": _gem,
    "bilinear": _bilinear,
}


def resize_position_table(
    table: Tensor,
    grid: Grid,
    mode: str = "sclip",
    *,
    prefix: int = 1,
    table_grid: Grid | None = None,
    official_quirks: bool = False,
) -> Tensor:
    """Fits a position table to a patch grid, (P + g_h * g_w, D) -> (P + h * w, D); the P leading rows stay.

    Args:
        table: position embeddings, leading tokens first, then the grid row by row.
        grid: (h, w) of the patch grid.
        mode: one of ``POSITION_MODES``, or ``crop``.
        prefix: P, number of leading rows.
        table_grid: (g_h, g_w) of the table; square when not given.
        official_quirks: as the official code of SCLIP and MaskCLIP does, leave the table alone whenever the *number*
            of cells agrees, even where the shape does not (7 x 28 cells on a 14 x 14 table).

    Raises:
        ValueError: unknown mode, or a table that is not a grid of that size.
    """
    if mode not in POSITION_MODES and mode != "crop":
        raise ValueError(f"position must be one of {sorted(POSITION_MODES)}, got {mode!r}")
    cells = table.shape[0] - prefix
    if table_grid is None:
        table_grid = (math.isqrt(max(cells, 0)),) * 2
    if cells != table_grid[0] * table_grid[1] or cells < 1:
        raise ValueError(
            f"a position table of {table.shape[0]} rows with {prefix} leading tokens is no {table_grid[0]} x "
            f"{table_grid[1]} grid; give table_grid=(rows, columns)"
        )
    if tuple(grid) == tuple(table_grid) or (official_quirks and cells == grid[0] * grid[1]):
        return table
    spatial = table[prefix:].reshape(1, *table_grid, -1).permute(0, 3, 1, 2).float()
    resize = _crop if mode == "crop" else POSITION_MODES[mode]
    resized = resize(spatial, tuple(grid)).flatten(2)[0].T
    return torch.cat([table[:prefix], resized.to(table.dtype)])
