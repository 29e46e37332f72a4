"""Refinements of full-size class maps by the image, chosen by ``refine=dict(type=...)``."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ovdense.functional.pamr import pamr


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

        def refine(maps: Tensor) -> Tensor:
            return pamr(guide.to(maps), maps[None], num_iter=self.num_iter, dilations=self.dilations)[0]

        return refine


REFINEMENTS = {"PAMR": PAMR}


def build_refinement(config: dict | None):
    """The refinement that a config names, or None."""
    if config is None:
        return None
    options = dict(config)
    kind = options.pop("type", None)
    if kind not in REFINEMENTS:
        raise ValueError(f"refine type must be one of {sorted(REFINEMENTS)}, got {kind!r}")
    return REFINEMENTS[kind](**options)
