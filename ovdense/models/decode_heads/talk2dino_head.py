"""Talk2DINO (arXiv 2411.19331): CLIP's text, mapped by two layers into the patch space of a frozen DINO.

Shapes: B images, S phrases, C channels of the text encoder, D channels of the backbone, M heads, h x w patch grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.similarity import pixel_logits
from ovdense.functional.text_alignment import alignment_scores, clean_background, head_embeddings, info_nce
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

ATTENTION_SCALE = 0.125  # fixed in the official code: 64 ** -0.5, whatever the head's width


class TextMapping(nn.Module):
    """W2 tanh(W1 t + b1) + b2, (..., C) -> (..., D); the official ``ProjectionLayer`` with its key names."""

    def __init__(self, text_dim: int, image_dim: int, hidden: int = 1) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(text_dim, image_dim)
        self.hidden_layers = nn.ModuleList(nn.Linear(image_dim, image_dim) for _ in range(hidden))

    def forward(self, texts: Tensor) -> Tensor:
        x = self.linear_layer(texts)
        for layer in self.hidden_layers:
            x = layer(x.tanh())
        return x

    def load(self, source: str | Path | Mapping[str, Tensor]) -> None:
        """Official weights, from a file or as a dict; ``linear_layer2`` of old files is the hidden layer.

        Raises:
            ValueError: missing or unexpected keys, or other widths.
        """
        tensors = dict(source) if isinstance(source, Mapping) else read_state_dict(source)
        renamed = {key.replace("linear_layer2.", "hidden_layers.0."): value for key, value in tensors.items()}
        load_strictly(self, renamed, "Talk2DINO mapping" if isinstance(source, Mapping) else str(source))


@MODELS.register_module()
class Talk2DINOHead(BaseModule):
    """Patch tokens of a DINO and raw CLIP text rows (S,C) -> scores (B,S,h,w) in (0, 1).

    Goes with ``backbone=dict(type="DINOBackbone", capture=("cls_logits",))`` and ``text_encoder=dict(...,
    normalize=False, normalize_before_mean=False)``: the mapping was trained on raw encodings.

    Args:
        text_dim: C.
        image_dim: D.
        hidden: hidden layers of the mapping.
        pretrained: official mapping weights.
        bg_clean: mix in the attention of the heads that suit each phrase (``with_bg_clean``).
        bg_weight: its share, lambda.
        strategy: how captions and heads are matched in training, see ``alignment_scores``.
        temperature: of the loss, constant.
        divide_by_square: divide the loss by the square of the batch size, as the official code does.
    """

    uses_text = True
    gives_probability = True

    def __init__(
        self,
        *,
        text_dim: int = 512,
        image_dim: int = 768,
        hidden: int = 1,
        pretrained: str | Path | Mapping[str, Tensor] | None = None,
        bg_clean: bool = False,
        bg_weight: float = 0.2,
        strategy: str = "max_score",
        temperature: float = 0.07,
        divide_by_square: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.text_dim, self.image_dim = text_dim, image_dim
        self.mapping = TextMapping(text_dim, image_dim, hidden)
        if pretrained is not None:
            self.mapping.load(pretrained)
        self.bg_clean, self.bg_weight = bg_clean, bg_weight
        self.strategy, self.temperature, self.divide_by_square = strategy, temperature, divide_by_square

    def bind_backbone(self, backbone) -> None:
        """Called by the segmentor: refuses a backbone of another width."""
        if backbone.space is not None or backbone.embed_dim != self.image_dim:
            raise ValueError(
                f"Talk2DINO was built for a DINO of {self.image_dim} channels: use DINOBackbone with such a model, got "
                f"{backbone.name} of {backbone.embed_dim} channels"
            )

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Scores (B,S,h,w), sigmoid of the cosine; with ``bg_clean`` cleaned."""
        patches, texts = features.maps[-1], self.mapping(rows)
        masks = pixel_logits(patches, texts).sigmoid()
        if not self.bg_clean:
            return masks
        return clean_background(masks, attention_logits(features), patches, texts, self.bg_weight)

    def image_embeddings(self, features: DenseFeatures) -> Tensor:
        """What each attention head looks at, (B,M,D): all that training needs of an image."""
        return head_embeddings(attention_logits(features), features.maps[-1])

    def caption_loss(self, heads: Tensor, captions: Tensor) -> dict[str, Tensor]:
        """Loss of images (B,M,D) and their captions (B,C), raw encodings of the text encoder."""
        scores, _ = alignment_scores(heads, self.mapping(captions), self.strategy)
        loss = info_nce(scores, self.temperature, self.divide_by_square)
        return dict(loss_infonce=loss, acc_caption=_accuracy(scores))


def attention_logits(features: DenseFeatures) -> Tensor:
    """Scaled logits (B,M,h,w) of the class token's attention."""
    if "cls_logits" not in features.extras:
        raise ValueError(
            "Talk2DINO reads the class token's attention: set backbone=dict(capture=('cls_logits',)), it gave "
            f"{sorted(features.extras) or 'no extra maps'}"
        )
    return features.extras["cls_logits"] * ATTENTION_SCALE


def _accuracy(scores: Tensor) -> Tensor:
    """Share of the rows whose best match is their own, in %."""
    best = scores.detach().argmax(dim=1)
    return (best == best.new_tensor(range(len(best)))).float().mean() * 100
