"""Talk2DINO's published mappings: projections, head choice and scores; skipped where their files are not at hand.

The files are no part of this project: they are looked for by their digest in the folder ``real`` beside the fixtures.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from adapters.base import Adapter
from ovdense.functional.text_alignment import alignment_scores
from ovdense.models.decode_heads import Talk2DINOHead

FILES = {"real": "vitb_mlp_infonce.pth", "real_dinov3": "dinov3_vitb_mlp_infonce.pth"}


@lru_cache(maxsize=1)
def digests(folder: Path) -> dict[str, Path]:
    """Weight files of a folder by their sha256."""
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in folder.rglob("*.pth")}


class RealTalk2DINOAdapter(Adapter):
    methods = ("talk2dino_real",)

    def needs_image(self, point):
        return False

    @torch.no_grad()
    def derive(self, point: str) -> Tensor | None:
        part, _, name = point.partition("/")
        head = self.head(part)
        if head is None:
            return None
        texts = head.mapping(self.case.tensors["real/text_in"])
        if name == "projected":
            return texts
        if name == "projected_l2norm":
            return torch.nn.functional.normalize(texts, dim=-1)
        if name in ("sim_max_score", "head_index"):
            scores, nearest = alignment_scores(self.case.tensors["real/visual_heads_in"], texts)
            return scores if name == "sim_max_score" else nearest
        return None

    def head(self, part: str) -> Talk2DINOHead | None:
        wanted = self.case.meta.get("weights_sha256", {}).get(FILES.get(part))
        path = digests(self.case.folder.parents[2] / "real").get(wanted)
        return None if path is None else Talk2DINOHead(pretrained=path)
