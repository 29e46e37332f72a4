"""DenseCLIP (arXiv 2112.01518): score maps of names in the picture's context guide an ordinary segmentor.

Shapes: B images, K classes, C channels of the text space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from ovdense.models.backbones.base import pad_to_cells
from ovdense.models.context_prompting import AttentionPool, ContextPrompts
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

TAU = 0.07


def names_of(vocabulary) -> list[str]:
    """The first phrase of each class of a vocabulary."""
    loaded = load_vocabulary(vocabulary)
    return [phrases[0] if phrases else name for name, phrases in zip(loaded.classes, loaded.phrases)]


def global_and_dense(features: DenseFeatures, pool: nn.Module | None) -> tuple[Tensor, Tensor]:
    """(B,C) and (B,C,h,w) of a backbone with ``capture=("dense_cls",)``, or of one without text space and a pool."""
    if pool is not None:
        return pool(features.maps[-1])
    if features.dense is None or "dense_cls" not in features.extras:
        raise ValueError(
            "DenseCLIP needs a CLIP backbone with attention='vanilla' and capture=('dense_cls',), or pool=dict(...) "
            "for one without a text space"
        )
    return features.extras["dense_cls"], features.dense


@MODELS.register_module()
class PatchPyramid(BaseModule):
    """Four maps (B,D,h,w) of a ViT of patches of 16 pixels at strides 4, 8, 16 and 32, as DenseCLIP makes them."""

    def __init__(self, *, channels: int, sync_norm: bool = False, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)

        def norm() -> nn.Module:
            return nn.GroupNorm(1, channels)

        def double() -> nn.Module:
            return nn.ConvTranspose2d(channels, channels, 2, stride=2)

        batch = nn.SyncBatchNorm(channels) if sync_norm else nn.BatchNorm2d(channels)
        self.fpn1 = nn.Sequential(norm(), double(), batch, nn.GELU(), double())
        self.fpn2 = nn.Sequential(norm(), double())
        self.fpn3 = norm()
        self.fpn4 = nn.Sequential(norm(), nn.MaxPool2d(2, stride=2))

    def forward(self, maps: tuple[Tensor, ...]) -> list[Tensor]:
        if len(maps) != 4:
            raise ValueError(f"PatchPyramid takes four maps: set out_indices of four blocks, got {len(maps)}")
        return [layer(x) for layer, x in zip((self.fpn1, self.fpn2, self.fpn3, self.fpn4), maps)]


@MODELS.register_module()
class DenseCLIPSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with score maps beside one of the backbone's maps, and a loss on them.

    Args:
        backbone: CLIP with ``attention="vanilla"``, ``position="bilinear"``, ``capture=("dense_cls",)``,
            ``frozen=False`` (for a ViT ``out_indices`` of four blocks as well), or any backbone with maps and a
            ``pool``.
        vocabulary: the classes, fixed for good: the decode head has a channel for each.
        text: arguments of ``ContextText`` but ``classes``.
        context_decoder: arguments of ``ContextDecoder``.
        prompting: ``post`` or ``pre``, see ``ContextPrompts``.
        pyramid: config of ``PatchPyramid`` for a ViT; None for a ResNet.
        pool: arguments of ``AttentionPool`` for a backbone without text space.
        score_index: map that gets the score maps, 3 for a ResNet, 2 for a ViT; the neck's channels count them in.
        score_loss_weight: of the cross-entropy of the score maps divided by 0.07; 0 for none.
        divisor: pixels that pictures are padded to multiples of.
        **kwargs: of ``EncoderDecoder``.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        vocabulary,
        text: dict,
        context_decoder: dict | None = None,
        prompting: str = "post",
        pyramid: dict | None = None,
        pool: dict | None = None,
        score_index: int = 3,
        score_loss_weight: float = 0.4,
        divisor: int = 32,
        **kwargs,
    ) -> None:
        super().__init__(backbone=backbone, **kwargs)
        names = vocabulary if isinstance(vocabulary, Tensor) else names_of(vocabulary)
        self.prompts = ContextPrompts(text=dict(text, classes=names), decoder=context_decoder, prompting=prompting)
        self.pyramid = None if pyramid is None else MODELS.build(pyramid)
        self.pool = None if pool is None else AttentionPool(embed_dim=self.prompts.text.embed_dim, **pool)
        self.score_index, self.score_loss_weight, self.divisor = score_index, score_loss_weight, divisor

    def maps_and_scores(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The maps that enter the neck, score maps beside one of them, and the score maps (B,K,h,w)."""
        features = self.backbone(inputs)
        maps = list(features.maps if self.pyramid is None else self.pyramid(features.maps))
        scores = self.prompts.score_map(*global_and_dense(features, self.pool))
        place = maps[self.score_index]
        if scores.shape[-2:] != place.shape[-2:]:
            raise ValueError(
                f"score maps of {tuple(scores.shape[-2:])} do not fit map {self.score_index} of "
                f"{tuple(place.shape[-2:])}: choose score_index by stride"
            )
        maps[self.score_index] = torch.cat([place, scores], dim=1)
        return maps, scores

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        maps, _ = self.maps_and_scores(inputs)
        return self.neck(maps) if self.with_neck else tuple(maps)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (B,K,H,W) of pictures of any size."""
        padded, _ = pad_to_cells(inputs, self.divisor, "corner")
        meta = dict(img_shape=tuple(padded.shape[-2:]))
        logits = self.decode_head.predict(self.extract_feat(padded), [meta] * len(inputs), self.test_cfg)
        return logits[..., : inputs.shape[-2], : inputs.shape[-1]]

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of the decode head and of the score maps."""
        if any(side % self.divisor for side in inputs.shape[-2:]):
            raise ValueError(
                f"training pictures must have sides of multiples of {self.divisor} pixels: set data_preprocessor.size, "
                f"got {tuple(inputs.shape[-2:])}"
            )
        maps, scores = self.maps_and_scores(inputs)
        x = self.neck(maps) if self.with_neck else tuple(maps)
        losses = self._decode_head_forward_train(x, data_samples)
        if self.score_loss_weight:
            labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples]).long()
            losses["aux.loss_score"] = self.score_loss_weight * score_loss(scores, labels)
        return losses


def score_loss(scores: Tensor, labels: Tensor, ignore_index: int = 255) -> Tensor:
    """Cross-entropy of score maps (B,K,h,w) over 0.07 with labels (B,H,W): mean over all pixels, ignored ones as 0."""
    logits = F.interpolate(scores / TAU, size=labels.shape[-2:], mode="bilinear", align_corners=False)
    return F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="none").mean()
