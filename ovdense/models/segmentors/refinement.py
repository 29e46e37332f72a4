"""Refinements of full-size class maps, or of the labels, by the image, chosen by ``refine=dict(type=...)``."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.guided_filter import guided_filter
from ovdense.functional.label_propagation import PixelGraph, lposs_colours
from ovdense.functional.pamr import Propagation, pamr_affinity
from ovdense.models.segmentors.sam_prompts import SAMPrompts


class PAMR:
    """Pixel-adaptive mask refinement (arXiv 2005.08104) as NACLIP applies it: to the maps of original size, guided by
    the normalised input image resized to it.

    Args:
        num_iter: iterations.
        dilations: of the 3 x 3 neighbourhoods, in pixels.
    """

    def __init__(self, *, num_iter: int = 10, dilations: tuple[int, ...] = (8, 16)) -> None:
        self.num_iter = num_iter
        self.dilations = tuple(dilations)

    def bind(self, guide: Tensor) -> Callable[[Tensor], Tensor]:
        """The refinement (s,H,W) -> (s,H,W) of maps by the image (1,3,H,W) that guides them."""
        propagation = Propagation(pamr_affinity(guide, self.dilations), self.dilations)  # once, for all chunks

        def refine(maps: Tensor) -> Tensor:
            return propagation(maps[None].float(), self.num_iter)[0]

        return refine


class GuidedFilter:
    """Score maps that follow the picture's edges, at little cost (``functional/guided_filter.py``).

    Args:
        radius: of the window, as a share of the picture's short side; about one grid cell of the backbone.
        eps: share of the picture's colour variance below which a window counts as flat; smaller keeps fainter edges.
        working_size: short side in pixels of the grid on which the models of the windows are worked out.
        max_pixels: larger pictures are not refined, for the memory's sake.
        contenders_only: classes that win no grid cell are left out, so that long vocabularies cost little more than
            short ones. Not where probabilities are asked for, which need all classes.
    """

    def __init__(
        self,
        *,
        radius: float = 0.06,
        eps: float = 0.005,
        working_size: int = 224,
        max_pixels: int = 4_000_000,
        contenders_only: bool = True,
    ) -> None:
        self.radius, self.eps, self.contenders_only = radius, eps, contenders_only
        self.working_size, self.max_pixels = working_size, max_pixels

    def bind(self, guide: Tensor) -> Callable[[Tensor], Tensor] | None:
        """The refinement (s,H,W) -> (s,H,W) of maps by the image (1,3,H,W); None for an image that is too large."""
        height, width = guide.shape[-2:]
        if height * width > self.max_pixels:
            return None
        guide = (guide - guide.mean((-2, -1), keepdim=True)) / guide.std().clamp(min=1e-6)
        subsample = max(1, round(min(height, width) / self.working_size))
        radius = max(1, round(self.radius * min(height, width) / subsample))

        def refine(maps: Tensor) -> Tensor:
            return guided_filter(guide.to(maps), maps[None], radius=radius, eps=self.eps, subsample=subsample)[0]

        return refine


class PixelPropagation:
    """Label propagation over pixels, the second step of LPOSS+ (arXiv 2503.19777): on the maps of the input's size,
    guided by its colours; the result is resized to the original size. ``1 - alpha`` times the official result.

    Args:
        radius: of the neighbourhood; 6 pixels of the input are the 13 x 13 of the paper.
        tau: difference of colours at which a weight falls to 1/e, in Lab with L / 100, a / 128, b / 128.
        alpha, num_iter, tol: as in ``LPOSSHead``.
        undominated_only: leave out classes that lie below one other class on the whole grid, where no probability is
            asked for: with the system solved they win no pixel. False works on all of them.
    """

    of_input_size = True

    def __init__(
        self,
        *,
        radius: int = 6,
        tau: float = 0.01,
        alpha: float = 0.95,
        num_iter: int = 10,
        tol: float = 1e-6,
        undominated_only: bool = True,
    ) -> None:
        self.graph = dict(radius=radius, tau=tau)
        self.solver = dict(alpha=alpha, num_iter=num_iter, tol=tol)
        self.undominated_only = undominated_only

    def bind(self, picture: Tensor, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        """The refinement (s,h,w) -> (s,*size) of maps by the picture (1,3,h,w) in RGB, 0..1, of the input's size."""
        graph = PixelGraph(lposs_colours(picture[0].float()), **self.graph)

        def refine(maps: Tensor) -> Tensor:
            solved = graph.propagate(maps.float(), **self.solver) * (1 - self.solver["alpha"])
            if tuple(solved.shape[-2:]) == size:
                return solved
            return F.interpolate(solved[None], size=size, mode="bilinear", align_corners=False)[0]

        return refine


REFINEMENTS = {
    "GuidedFilter": GuidedFilter,
    "PAMR": PAMR,
    "PixelPropagation": PixelPropagation,
    "SAMPrompts": SAMPrompts,
}


def build_refinement(config: dict | None):
    """The refinement that a config names, or None."""
    if config is None:
        return None
    options = dict(config)
    kind = options.pop("type", None)
    if kind not in REFINEMENTS:
        raise ValueError(f"refine type must be one of {sorted(REFINEMENTS)}, got {kind!r}")
    return REFINEMENTS[kind](**options)
