"""Label propagation: scores spread along a graph of patches, or of pixels, by one linear system for each class.

LPOSS and LPOSS+ (arXiv 2503.19777), after Zhou et al., "Learning with Local and Global Consistency" (2003): with
symmetric weights W without self-loops, their degrees D and S = D^-1/2 W D^-1/2, scores Y become (I - alpha S)^-1 Y.

Shapes: N nodes, C classes, D feature channels, k neighbours, H x W pixels, O half of the neighbours of a pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.colour import rgb_to_lab

# Elements of one block of similarities (rows x nodes) while neighbours are looked for.
BLOCK_ELEMENTS = 1 << 23
# Elements (classes x rows x columns) of one step of the pixels' sums on a CPU.
BAND_ELEMENTS = 1 << 19
# Classes that are solved for together on pixels: bounds the memory, changes no result.
CLASSES_AT_ONCE = 16


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    right: Tensor,
    dims: int | tuple[int, ...],
    *,
    num_iter: int,
    tol: float = 1e-6,
) -> Tensor:
    """``operator(x) = right`` for many right-hand sides at once, from x = 0; each stops for itself.

    Args:
        operator: a symmetric positive definite linear map of tensors of the shape of ``right``, which acts on each
            right-hand side separately.
        right: right-hand sides; the unknowns of one lie along ``dims``.
        dims: dimensions of the unknowns.
        num_iter: at most so many iterations.
        tol: a system is done when its residual's norm is at most ``tol`` times that of its right-hand side.
    """
    if num_iter < 1:
        raise ValueError(f"num_iter must be at least 1, got {num_iter}")
    x, residual, direction = torch.zeros_like(right), right.clone(), right.clone()
    square = residual.square().sum(dims, keepdim=True)
    goal = tol**2 * square
    for _ in range(num_iter):
        active = square > goal
        if not bool(active.any()):
            break
        image = operator(direction)
        step = torch.where(active, square / (direction * image).sum(dims, keepdim=True), 0)
        x.addcmul_(step, direction)
        residual.addcmul_(step, image, value=-1)
        new = torch.where(active, residual.square().sum(dims, keepdim=True), square)
        direction.mul_(torch.where(active, new / square, 0)).add_(residual)
        square = new
    return x


def propagate_labels(
    scores: Tensor, smooth: Callable[[Tensor], Tensor], *, alpha: float = 0.95, num_iter: int = 10, tol: float = 1e-6
) -> Tensor:
    """(I - alpha S)^-1 scores, eq. 3 of the paper without its constant factor 1 - alpha.

    Args:
        scores: (N,C) with a ``smooth`` for (N,C), or (C,H,W) with one for (C,H,W).
        smooth: multiplication by S; ``patch_graph(...).matmul`` or ``PixelGraph(...).smooth``.
        alpha: in [0, 1), how far labels travel; 0 returns the scores.
        num_iter, tol: of ``conjugate_gradients``. The official code stops after 10, 2 to 3 digits before the end;
            some 45 reach the tolerance at alpha 0.95.
    """
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha must be at least 0 and below 1, got {alpha}")
    dims = 0 if scores.ndim == 2 else (-2, -1)
    return conjugate_gradients(lambda x: x.sub(smooth(x), alpha=alpha), scores, dims, num_iter=num_iter, tol=tol)


def patch_graph(
    features: Tensor, positions: Tensor, *, neighbours: int = 400, gamma: float = 3.0, sigma: float = 0.01
) -> Tensor:
    """S of the k nearest neighbours by cosine, (N,D) and (N,2) -> sparse CSR (N,N).

    A patch and a neighbour i, j weigh ``max(cosine, 0)^gamma * exp(-sigma * distance)`` (eq. 5); W is the sum of the
    weights in both directions. No tensor is larger than ``BLOCK_ELEMENTS`` or 2 N k.

    Args:
        features: (N,D), normalised here.
        positions: (N,2) in pixels, of all windows in the frame of the picture.
        neighbours: k, the patch itself among them, as the official code counts; all if there are fewer.
        gamma: exponent of the cosine.
        sigma: decay per pixel of distance.

    Raises:
        ValueError: features and positions of different numbers, or no neighbours.
    """
    if features.ndim != 2 or positions.shape != (len(features), 2):
        raise ValueError(
            f"features (N, D) need positions (N, 2), got {tuple(features.shape)}, {tuple(positions.shape)}"
        )
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1 (the patch itself), got {neighbours}")
    count, device = len(features), features.device
    unit, kept = F.normalize(features, dim=1), min(neighbours, count)
    weights, columns = [], []
    for rows in torch.arange(count, device=device).split(max(BLOCK_ELEMENTS // count, 1)):
        cosine, nearest = (unit[rows] @ unit.T).topk(kept, dim=1)
        distance = (positions[rows, None] - positions[nearest]).to(cosine).square_().sum(-1).sqrt_()
        weights.append(cosine.clamp_(min=0).pow_(gamma).mul_(distance.mul_(-sigma).exp_()))
        columns.append(nearest)
    weight, column = torch.cat(weights).flatten(), torch.cat(columns).flatten()
    row = torch.arange(count, device=device).repeat_interleave(kept)
    edge = (row != column) & (weight > 0)
    weight, row, column = weight[edge], row[edge], column[edge]
    scale = inverse_root(weight.new_zeros(count).index_add_(0, row, weight).index_add_(0, column, weight))
    weight = weight * scale[row] * scale[column]
    both = torch.stack([torch.cat([row, column]), torch.cat([column, row])])
    graph = torch.sparse_coo_tensor(both, weight.repeat(2), (count, count), check_invariants=False).coalesce()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return graph.to_sparse_csr()


class PixelGraph:
    """S of a picture's pixels, each joined to its (2 radius + 1)^2 neighbourhood by likeness of colour.

    Pixels i, j weigh ``exp(-|colour_i - colour_j| / tau)`` (section 3.3). Holds (O,H,W) floats and no (N,N) matrix:
    O = 84 for the paper's 13 x 13 pixels.

    Args:
        colours: (channels,H,W) in any unit; ``lposs_colours`` gives the paper's.
        radius: of the neighbourhood in pixels.
        tau: distance of colours at which a weight falls to 1/e.
    """

    def __init__(self, colours: Tensor, *, radius: int = 6, tau: float = 0.01) -> None:
        if colours.ndim != 3 or radius < 1 or tau <= 0:
            raise ValueError(
                "PixelGraph takes colours (channels, H, W), radius >= 1 and tau > 0, got "
                f"{tuple(colours.shape)}, {radius} and {tau}"
            )
        self.radius, (self.height, self.width) = radius, tuple(colours.shape[-2:])
        self.offsets = half_offsets(radius)
        # A weight lies at the first of its two pixels; it is 0 where the second is outside, and in the margin.
        self.weights = colours.new_zeros(len(self.offsets), self.height + 2 * radius, self.width + 2 * radius)
        padded = F.pad(colours, [radius] * 4, value=torch.inf)  # nothing is like what lies outside
        for weight, offset in zip(self.weights, self.offsets):
            distance = (colours - self._at(padded, offset)).square_().sum(0).sqrt_()
            self._at(weight, (0, 0)).copy_(distance.div_(-tau).exp_())
        degree = colours.new_zeros(self.height, self.width)
        for weight, (dy, dx) in zip(self.weights, self.offsets):
            degree += self._at(weight, (0, 0)) + self._at(weight, (-dy, -dx))
        scale = inverse_root(degree)
        padded = F.pad(scale, [radius] * 4)
        for weight, offset in zip(self.weights, self.offsets):
            self._at(weight, (0, 0)).mul_(scale).mul_(self._at(padded, offset))

    def smooth(self, maps: Tensor) -> Tensor:
        """S times maps (C,H,W)."""
        padded, out = F.pad(maps, [self.radius] * 4), torch.zeros_like(maps)
        rows = self.height
        if maps.device.type == "cpu":
            rows = max(BAND_ELEMENTS // (len(maps) * self.width), 1)
        for top in range(0, self.height, rows):
            band = slice(top, min(top + rows, self.height))
            target = out[:, band]
            for weight, (dy, dx) in zip(self.weights, self.offsets):
                target.addcmul_(self._at(padded, (dy, dx), band), self._at(weight, (0, 0), band))
                target.addcmul_(self._at(padded, (-dy, -dx), band), self._at(weight, (-dy, -dx), band))
        return out

    def propagate(self, maps: Tensor, *, alpha: float = 0.95, num_iter: int = 10, tol: float = 1e-6) -> Tensor:
        """``propagate_labels`` of maps (C,H,W), ``CLASSES_AT_ONCE`` together."""
        solved = [
            propagate_labels(some, self.smooth, alpha=alpha, num_iter=num_iter, tol=tol)
            for some in maps.split(CLASSES_AT_ONCE)
        ]
        return torch.cat(solved)

    def _at(self, padded: Tensor, offset: tuple[int, int], rows: slice | None = None) -> Tensor:
        """The pixels (of some rows) moved by an offset (dy, dx), in a map with margins."""
        first, last = (0, self.height) if rows is None else (rows.start, rows.stop)
        top, left = self.radius + offset[0], self.radius + offset[1]
        return padded[..., top + first : top + last, left : left + self.width]


def lposs_colours(images: Tensor) -> Tensor:
    """RGB (..., 3, H, W) in [0, 1] -> Lab of about unit range: L / 100, a / 128, b / 128, as LPOSS+ compares them."""
    return rgb_to_lab(images) / images.new_tensor([100.0, 128.0, 128.0])[:, None, None]


def half_offsets(radius: int) -> list[tuple[int, int]]:
    """(dy, dx) of one of every two opposite neighbours in a (2 radius + 1)^2 square."""
    reach = range(-radius, radius + 1)
    return [(dy, dx) for dy in range(radius + 1) for dx in reach if (dy, dx) > (0, 0)]


def inverse_root(degree: Tensor) -> Tensor:
    """degree^-1/2, and 0 for a node without neighbours."""
    return torch.where(degree > 0, degree.rsqrt(), 0)


def undominated(scores: Tensor) -> Tensor:
    """Classes (C,) bool of scores (C,N) that are not below one and the same other class everywhere.

    Propagation is linear and its matrix has no negative entry, so a class that starts below another everywhere ends
    below it everywhere (of a solution that has converged) and cannot win a node.
    """
    gap = scores.max(dim=0).values - scores
    best_cell = gap.argmin(dim=1)  # where a class comes nearest to the winner, few others are above it
    kept = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
    for index, cell in enumerate(best_cell.tolist()):
        rivals = scores[scores[:, cell] > scores[index, cell]]
        kept[index] = not bool((rivals > scores[index]).all(dim=1).any())
    return kept
