"""LiteBackbone: the embedded model for photographs (two EfficientNet-Lite trunks, a 1008-d joint space).

The towers' ImageNet logits and a few extra rows (sky, grass, person, ...) become one embedding per position:
``e = [softmax(L - debias * mean) * q_other, q_1 .. q_R]``, L the mean of the towers' 1000 logits and q a softmax over
R extra rows and "other". The text side (``text_encoders/lite_text.py``) maps a name to weights over the same entries.

Shapes: B images, H x W pixels, h x w grid, F = 1280 trunk channels, C = 1000 + R embedding channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.lite_files import lite_config, lite_folder, lite_space, read_tensors
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Folds every (convolution, BatchNormAct2d) pair of neighbours into the convolution; the activation stays."""
    children = list(module.named_children())
    for (name, child), (next_name, following) in pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, following))
            setattr(module, next_name, following.act)
    for child in module.children():
        fold_batch_norms(child)
    return module


class LiteTower(nn.Module):
    """(B, 3, H, W) -> trunk map (B, F, h, w) and stage maps; ``scores`` gives the 1000 + R + 1 logits of features."""

    def __init__(self, *, name: str, output_stride: int, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        trunk = timm.create_model(
            f"tf_efficientnet_{name}", pretrained=False, num_classes=0, output_stride=output_stride
        )
        prefix = "trunk."
        trunk.load_state_dict({key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)})
        self.trunk = fold_batch_norms(trunk.eval())
        weight = torch.cat([tensors["classifier.weight"], tensors["rows.weight"]])
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        self.head.load_state_dict(
            {"weight": weight, "bias": torch.cat([tensors["classifier.bias"], tensors["rows.bias"]])}
        )

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features (B, F, h, w), and the maps that end a resolution, finest first, with the features at the end."""
        x = self.trunk.bn1(self.trunk.conv_stem(images))
        stages = []
        for stage in self.trunk.blocks:
            x = stage(x)
            stages.append(x)
        last_of_size = {tuple(stage.shape[-2:]): stage for stage in stages}
        features = self.trunk.bn2(self.trunk.conv_head(x))
        return features, [*last_of_size.values(), features]


@MODELS.register_module()
class LiteBackbone(DenseBackbone):
    """Image -> DenseFeatures in the 1008-d space of the embedded photo model.

    ``dense`` has non-negative entries that sum to 1 at each position. ``maps`` are the ends of the resolutions of the
    first tower, strides 2, 4, 8 and 16 (and 32 with that output stride), and at the end its 1280 features.

    Args:
        folder: a folder with the files of ``lite_files.py``; None for the embedded model.
        towers: trunks to use, of ``lite0`` and ``lite2``; one alone is faster and a little weaker.
        output_stride: 16 (last stage dilated) or 32.
        smooth: side of the mean filter over grid positions (odd; 1 switches it off).
        flip: average with the mirrored image; doubles the time.
        scales: further sizes, as factors of the input's, whose embeddings are averaged with its own.
        **options: of ``DenseBackbone``; an unfrozen trunk trains with its batch norms folded into the convolutions.
    """

    def __init__(
        self,
        *,
        folder: str | None = None,
        towers: Sequence[str] = ("lite0", "lite2"),
        output_stride: int = 16,
        smooth: int = 3,
        flip: bool = False,
        scales: Sequence[float] = (),
        **options,
    ) -> None:
        super().__init__(**options)
        if output_stride not in (16, 32):
            raise ValueError(f"LiteBackbone has output_stride 16 or 32, got {output_stride}")
        if smooth < 1 or smooth % 2 == 0:
            raise ValueError(f"smooth is the odd side of a mean filter, 1 for none, got {smooth}")
        if any(scale <= 0 for scale in scales):
            raise ValueError(f"scales are positive factors of the input size, got {list(scales)}")
        config = lite_config(folder)
        vision = config["vision_cfg"]
        towers = (towers,) if isinstance(towers, str) else tuple(towers)
        if not towers or set(towers) - set(vision["towers"]):
            raise ValueError(f"the photo model has the towers {', '.join(vision['towers'])}, got {list(towers)}")
        self.name, self.space, self.pretrained = "lite", lite_space(folder), str(lite_folder(folder))
        self.embed_dim, self.stride = config["embed_dim"], output_stride
        self.image_mean = tuple(config["preprocess_cfg"]["mean"])
        self.image_std = tuple(config["preprocess_cfg"]["std"])
        self.smooth, self.flip, self.scales = smooth, flip, tuple(scales)
        self.debias, self.other_bias = vision["debias"], vision["other_bias"]
        self.global_other_bias = vision["global_other_bias"]
        self.towers = nn.ModuleList(
            LiteTower(name=name, output_stride=output_stride, tensors=read_tensors(folder, f"visual.{name}."))
            for name in towers
        ).to(memory_format=torch.channels_last)
        self.register_buffer("mean_logits", read_tensors(folder, "visual.mean_logits")[""], persistent=False)
        self._freeze()

    def encode(self, images: Tensor) -> DenseFeatures:
        """DenseFeatures of images whose sides are whole cells."""
        dense, pooled, maps = self._one_view(images)
        views = [dense]
        if self.flip:
            views.append(self._one_view(images.flip(-1))[0].flip(-1))
        for scale in self.scales:
            view = self._resize(images, scale)
            views.append(self._one_view(view)[0])
            if self.flip:
                views.append(self._one_view(view.flip(-1))[0].flip(-1))
        if len(views) > 1:
            grid = dense.shape[-2:]
            views = [F.interpolate(view, grid, mode="bilinear", align_corners=False) for view in views]
            dense = torch.stack(views).mean(0)
        if self.smooth > 1:
            reach = self.smooth // 2
            dense = F.avg_pool2d(F.pad(dense, (reach,) * 4, mode="replicate"), self.smooth, stride=1)
        whole = self.embed(pooled, self.global_other_bias) if self.with_global else None
        return DenseFeatures(dense=dense, global_embedding=whole, maps=tuple(maps))

    def _resize(self, images: Tensor, scale: float) -> Tensor:
        """Another scale of the padded image, a whole number of cells."""
        size = [max(1, round(side * scale / self.stride)) * self.stride for side in images.shape[-2:]]
        return F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=scale < 1)

    def _one_view(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Embedding (B, C, h, w), pooled logits (B, 1000 + R + 1), stage maps of the first tower."""
        scores, maps = self.scores(images)
        dense = self.embed(scores, self.other_bias).permute(0, 3, 1, 2)
        return dense, scores.mean((1, 2)), maps

    def scores(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Mean logits of the towers (B, h, w, 1000 + R + 1) and stage maps of the first tower."""
        images = images.contiguous(memory_format=torch.channels_last)
        scores, maps = 0, None
        for tower in self.towers:
            features, stages = tower(images)
            scores = scores + tower.head(features.permute(0, 2, 3, 1)) / len(self.towers)
            maps = stages if maps is None else maps
        return scores, maps

    def embed(self, scores: Tensor, other_bias: float) -> Tensor:
        """Mean logits of the towers (..., 1000 + R + 1) -> embedding (..., 1000 + R); the last logit is "other"."""
        classes = len(self.mean_logits)
        rows = scores[..., classes:].clone()
        rows[..., -1] += other_bias
        rows = rows.softmax(-1)
        posterior = (scores[..., :classes] - self.debias * self.mean_logits).softmax(-1)
        return torch.cat([posterior * rows[..., -1:], rows[..., :-1]], dim=-1)
