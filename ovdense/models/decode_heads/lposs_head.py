"""LPOSS: cosines of patches and phrases, propagated over all windows of a picture at once (arXiv 2503.19777)."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.label_propagation import patch_graph, propagate_labels
from ovdense.functional.similarity import pixel_logits
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class LPOSSHead(BaseModule):
    """Features of a ``CompanionBackbone`` and phrase rows -> propagated cosines (B,S,h,w). Nothing to learn.

    Patches that the companion finds alike, near each other, in whatever window, share their scores. The result is
    ``1 - alpha`` times the official one, which brings it back to the range of cosines and changes no label.

    Args:
        neighbours: k of the graph, the patch itself among them.
        gamma: exponent of the companion's cosines.
        sigma: decay of the weights per pixel of distance.
        alpha: in [0, 1), how far labels travel.
        num_iter: of conjugate gradients, 10 in the official code; some 45 solve the system to ``tol``.
        tol: relative residual at which a phrase is done.
    """

    uses_text = True
    gives_probability = False

    def __init__(
        self,
        *,
        neighbours: int = 400,
        gamma: float = 3.0,
        sigma: float = 0.01,
        alpha: float = 0.95,
        num_iter: int = 10,
        tol: float = 1e-6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.graph = dict(neighbours=neighbours, gamma=gamma, sigma=sigma)
        self.solver = dict(alpha=alpha, num_iter=num_iter, tol=tol)

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Propagated cosines (B,S,h,w); windows of one picture act on each other, pictures do not."""
        if "companion" not in features.extras:
            raise ValueError(
                "LPOSSHead needs the features of a second model: use backbone=dict(type='CompanionBackbone', ...); the "
                f"backbone gave {sorted(features.extras) or 'no extras'}"
            )
        logits = pixel_logits(features.dense, rows).float()
        picture = features.extras["picture"]
        for index in picture.unique().tolist():
            windows = (picture == index).nonzero()[:, 0]
            logits[windows] = self.propagate(logits[windows], features, windows)
        return logits

    def propagate(self, logits: Tensor, features: DenseFeatures, windows: Tensor) -> Tensor:
        """Scores (n,S,h,w) of the windows (n,) of one picture."""
        nodes = [features.extras[name][windows].float() for name in ("companion", "positions")]
        graph = patch_graph(*(as_nodes(maps) for maps in nodes), **self.graph)
        solved = propagate_labels(as_nodes(logits), graph.matmul, **self.solver) * (1 - self.solver["alpha"])
        return solved.view(len(logits), *logits.shape[-2:], -1).permute(0, 3, 1, 2)


def as_nodes(maps: Tensor) -> Tensor:
    """(n,D,h,w) -> (n * h * w, D)."""
    return maps.movedim(1, -1).flatten(0, 2)
