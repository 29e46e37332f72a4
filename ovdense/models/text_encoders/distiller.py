"""Training of a small open_clip text tower to say what a sentence encoder says.

Shapes: N sentences, L tokens, W width, D channels of the sentence encoder, V tokens of the vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from safetensors.torch import load_file
from torch import Tensor

from ovdense.models.text_encoders.bag_of_words import start_from_bag
from ovdense.models.text_encoders.text_tower import encode_tokens
from ovdense.registry import MODELS


def relation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far the student's neighbours of each row are from the teacher's: two sets of unit rows (N,D) -> scalar.

    Kullback-Leibler divergence between the softmax distributions of a row's cosines with the other rows (relational
    distillation, as in SEED, arXiv 2101.04731).
    """
    if len(student) < 2:
        return student.sum() * 0
    itself = torch.eye(len(student), dtype=torch.bool, device=student.device)
    want, have = (
        ((rows @ rows.T) / temperature).masked_fill(itself, -1e4).log_softmax(1) for rows in (teacher, student)
    )
    return F.kl_div(have, want, reduction="batchmean", log_target=True)


@MODELS.register_module()
class TextDistiller(BaseModel):
    """A ``TextTransformer`` of open_clip that learns centred sentence vectors (N,D), direction and length.

    With the length right, the encoder's own mean can be put back: ``tower(tokens) + mean`` stands for its unit vector.

    Args:
        text_cfg: open_clip's ``text_cfg``; a causal tower is trained on batches of any length up to its context.
        embed_dim: D.
        start: ``bag_of_words.safetensors`` of ``make_sentences.py``: the tower then starts as the best bag of words,
            and keeps the sentences' mean. None starts from random numbers.
        relation_weight: factor of ``relation_loss``.
        length_weight: factor of the squared error of the vectors' lengths.
        temperature: of ``relation_loss``.
        precision: ``fp32`` or ``bf16`` (autocast).
    """

    def __init__(
        self,
        *,
        text_cfg: dict,
        embed_dim: int = 384,
        start: str | Path | None = None,
        relation_weight: float = 0.5,
        length_weight: float = 0.5,
        temperature: float = 0.1,
        precision: str = "fp32",
        init_cfg: dict | None = None,
    ) -> None:
        from open_clip.model import _build_text_tower

        super().__init__(init_cfg=init_cfg)
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is fp32 or bf16, got {precision!r}")
        self.tower = _build_text_tower(embed_dim, dict(text_cfg))
        self.relation_weight, self.length_weight = relation_weight, length_weight
        self.temperature, self.precision = temperature, precision
        self.register_buffer("mean", torch.zeros(embed_dim))
        if start is not None:
            bag = load_file(start)
            self.mean.copy_(bag["mean"])
            start_from_bag(self.tower, bag["vectors"], bag["components"], bag["norm"].item())

    def forward(self, inputs: Tensor, targets: Tensor | None = None, mode: str = "tensor"):
        """Centred vectors (N,D) of token ids (N,L), or the losses against ``targets`` (N,D) in mode ``loss``."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            vectors = encode_tokens(self.tower, inputs)
        return self.loss(vectors.float(), targets) if mode == "loss" else vectors.float()

    def loss(self, vectors: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Losses of the vectors (N,D) against the teacher's, and the mean cosine."""
        student, teacher = F.normalize(vectors, dim=1), F.normalize(targets, dim=1)
        cosine = (student * teacher).sum(1).mean()
        length = (vectors.norm(dim=1) - targets.norm(dim=1)).square().mean()
        return dict(
            loss_cosine=1 - cosine,
            loss_relation=self.relation_weight * relation_loss(student, teacher, self.temperature),
            loss_length=self.length_weight * length,
            cosine=cosine.detach(),
        )
