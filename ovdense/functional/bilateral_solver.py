"""Fast bilateral solver: maps that are smooth except across edges of an image (Barron and Poole, arXiv 1511.03296).

Pixels of about one place and colour share a vertex of a grid; the smoothest values of the vertices that agree with the
given map solve a linear system.

Shapes: B images of H x W pixels, V vertices of all images together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

TO_YUV = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JPEG's, plus 128 for U, V
CONFIDENCE = 0.999
SMALLEST_DIAGONAL = 1e-5


def bilateral_solve(
    images: Tensor,
    maps: Tensor,
    *,
    sigma: Sequence[float] = (16.0, 16.0, 8.0),
    smoothness: float = 256.0,
    iterations: int = 25,
    tolerance: float = 1e-5,
) -> Tensor:
    """Maps (B,H,W) that follow the edges of RGB images (B,3,H,W) in 0..255, double precision inside.

    Args:
        sigma: width of a vertex in pixels, in luma and in chroma; the values are FOUND's (arXiv 2212.07834).
        smoothness: lambda of the paper's equation 2.
        iterations: of the conjugate gradients, at most.
        tolerance: residual, relative to the right side, at which an image is done.
    """
    if images.ndim != 4 or images.shape[1] != 3 or maps.shape != (len(images), *images.shape[-2:]):
        raise ValueError(
            "the bilateral solver takes images (B, 3, H, W) and maps (B, H, W) of the same size, got "
            f"{tuple(images.shape)} and {tuple(maps.shape)}"
        )
    grid = BilateralGrid(images, sigma)
    counts = grid.splat(torch.ones_like(maps, dtype=torch.float64))
    scale = torch.ones_like(counts)
    for _ in range(10):  # scales the blur so that its rows and columns sum to the counts
        scale = (scale * counts / grid.blur(scale)).sqrt()
    mass, data = scale * grid.blur(scale), CONFIDENCE * counts

    def system(values: Tensor) -> Tensor:
        return smoothness * (mass * values - scale * grid.blur(scale * values)) + data * values

    diagonal = (smoothness * (mass - 2 * grid.dims * scale**2) + data).clamp(min=SMALLEST_DIAGONAL)
    right = CONFIDENCE * grid.splat(maps.double())
    solved = conjugate_gradients(system, right, right / data, diagonal, grid.dot, iterations, tolerance)
    return grid.slice(solved).to(maps.dtype)


class BilateralGrid:
    """Vertices of place, luma and chroma that occur in a batch of images (B,3,H,W)."""

    dims = 5

    def __init__(self, images: Tensor, sigma: Sequence[float]) -> None:
        batch, _, height, width = self.shape = tuple(images.shape)
        yuv = torch.einsum("oc,bchw->bohw", images.new_tensor(TO_YUV, dtype=torch.float64), images.double())
        yuv[:, 1:] += 128
        rows = torch.arange(height, device=images.device).view(1, -1, 1).expand(batch, height, width)
        cols = torch.arange(width, device=images.device).expand(batch, height, width)
        cells = [cols / sigma[0], rows / sigma[0], yuv[:, 0] / sigma[1], yuv[:, 1] / sigma[2], yuv[:, 2] / sigma[2]]
        coords = torch.stack([cell.long() + 1 for cell in cells], dim=-1).flatten(0, 2)  # 0 is left free for neighbours
        spans = coords.amax(0) + 2
        steps = torch.cat([spans.flip(0).cumprod(0).flip(0)[1:], spans.new_ones(1)])
        owner = torch.arange(batch, device=images.device).repeat_interleave(height * width)
        codes = owner * spans.prod() + (coords * steps).sum(1)
        unique, self.vertex = torch.unique(codes, return_inverse=True)
        self.owner = torch.div(unique, spans.prod(), rounding_mode="floor")
        self.neighbours = []
        for step in steps.tolist():
            place = torch.searchsorted(unique, unique + step).clamp(max=len(unique) - 1)
            known = (unique[place] == unique + step).nonzero().flatten()
            self.neighbours.append((known, place[known]))

    def splat(self, maps: Tensor) -> Tensor:
        """Sums (V,) of maps (B,H,W) over the pixels of each vertex."""
        return maps.new_zeros(len(self.owner)).index_add_(0, self.vertex, maps.flatten())

    def slice(self, values: Tensor) -> Tensor:
        """Values (V,) at the pixels, (B,H,W)."""
        batch, _, height, width = self.shape
        return values[self.vertex].view(batch, height, width)

    def blur(self, values: Tensor) -> Tensor:
        """Values (V,) blurred by 1 2 1 along each axis."""
        out = 2 * self.dims * values
        for low, high in self.neighbours:
            out = out.index_add(0, low, values[high]).index_add(0, high, values[low])
        return out

    def dot(self, first: Tensor, second: Tensor) -> Tensor:
        """(V,) product of vertex values summed over the image of each vertex."""
        sums = first.new_zeros(self.shape[0]).index_add_(0, self.owner, first * second)
        return sums[self.owner]


def conjugate_gradients(
    system: Callable[[Tensor], Tensor],
    right: Tensor,
    start: Tensor,
    diagonal: Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
    iterations: int,
    tolerance: float,
) -> Tensor:
    """x with ``system(x) = right``, all images side by side, each with its own steps; Jacobi preconditioner."""
    values, residual = start, right - system(start)
    direction = residual / diagonal
    energy = dot(residual, direction)
    goal = tolerance**2 * dot(right, right)
    for _ in range(iterations):
        active = dot(residual, residual) > goal
        if not active.any():
            break
        moved = system(direction)
        step = torch.where(active, energy / dot(direction, moved), 0.0)
        values, residual = values + step * direction, residual - step * moved
        scaled = residual / diagonal
        fresh = dot(residual, scaled)
        direction = torch.where(active, scaled + fresh / energy * direction, direction)
        energy = torch.where(active, fresh, energy)
    return values
