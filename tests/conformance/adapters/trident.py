"""Trident: the splice of window features and the correlation of a SAM, whose values and attention the case gives."""

from torch import Tensor

from adapters.base import Adapter, patch_rows
from ovdense.functional.correlation import correlation_weights


class TridentAdapter(Adapter):
    methods = ("trident",)

    def needs_image(self, point):
        return False

    def derive(self, point) -> Tensor | None:
        kind, _, tag = point.rpartition("_")
        if kind == "attn_weights":
            return self.weights(tag)[:, None]
        if kind == "dense":
            return self.dense(tag)
        return None

    def given(self, name: str, tag: str) -> Tensor:
        return self.case.tensors[f"{name}_{tag}"]

    def weights(self, tag: str) -> Tensor:
        """(1, N, N)."""
        return correlation_weights(self.given("sam_attn", tag), self.given("sam_v", tag).flatten(2, 3))

    def dense(self, tag: str) -> Tensor:
        """(1, N, C) on SAM's grid."""
        first, second = self.given("window_coords", tag)[[0, -1]].tolist()  # y1, x1, y2, x2 in CLIP's patches
        windows = self.case.images[f"windows_{tag}"]
        crop = tuple(windows.shape[-2:])
        cell = crop[0] // (first[2] - first[0])
        count = len(windows)
        stride = tuple(max(1, (second[axis] - first[axis]) // max(1, count - 1)) * cell for axis in (0, 1))
        backbone = self.backbone(stride=tuple(min(crop[0], step) for step in stride), crop_size=crop)
        tokens = backbone.window_tokens(windows, 1, self.given("exfeat", tag))
        grid = tuple(self.given("sam_v", tag).shape[2:4])
        spliced = backbone.splice(tokens, (second[2] * cell, second[3] * cell), crop, grid)
        rows = self.weights(tag) @ patch_rows(spliced)
        return patch_rows(backbone.windows.to_text_space(rows.transpose(1, 2).unflatten(2, grid)))

    def model_config(self) -> dict:
        dino = dict(
            type="DINOBackbone",
            model="vit_small_patch8_224.dino",
            model_options=dict(depth=1, embed_dim=16, num_heads=2),
        )
        return dict(super().model_config(), type="TridentBackbone", proxy=dino, correlation=dino)
