"""Text side of the embedded photo model: names -> weights over ImageNet's classes and the extra rows.

A name is compared with text anchors (ImageNet synonyms, WordNet hypernyms, context words), each of which stands for
one or several ImageNet classes. The weight of class k is ``exp((best anchor cosine - penalty) / tau)``; the extra rows
(sky, grass, person, ...) have words of their own. The weights, as a unit vector, are the text embedding.

Shapes: N names, A anchors, P (anchor, class) pairs, D = 384 sentence channels, C = 1000 + R embedding channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.models.lite_files import lite_config, lite_space, read_tensors


class LiteText:
    """``encode_phrases(names)`` -> (N, C) unit rows in the space of ``LiteBackbone``.

    Args:
        sentence_encoder: list of N sentences -> (N, D) unit rows of the text tower.
        folder: a folder with the files of ``lite_files.py``; None for the embedded model.
        chunk: names per step; bounds the memory.
    """

    def __init__(
        self,
        *,
        sentence_encoder: Callable[[list[str]], Tensor],
        folder: str | Path | None = None,
        chunk: int = 256,
    ) -> None:
        config = lite_config(folder)
        text = config["text_cfg"]
        tensors = read_tensors(folder, "text.")
        self.sentence_encoder = sentence_encoder
        self.space = lite_space(folder)
        self.embed_dim = config["embed_dim"]
        self.templates = tuple(text["templates"])
        self.tau, self.row_gain, self.chunk = text["tau"], text["row_gain"], chunk
        self.mean = tensors["mean"]
        self.anchors = F.normalize(tensors["anchors"], dim=-1)
        self.penalty = torch.tensor(text["penalties"])[tensors["kind"].long()]
        self.pair_anchor, self.pair_class = tensors["pair_anchor"].long(), tensors["pair_class"].long()
        self.row_words = F.normalize(tensors["row_words"], dim=-1)
        self.row_index = tensors["row_index"].long()
        self.num_rows = int(tensors["row_index"].max()) + 1

    def encode_phrases(self, phrases: Sequence[str], templates: Sequence[str] | None = None) -> Tensor:
        """(N, C) unit rows of N names, each seen through ``templates`` (the model's own by default)."""
        templates = self.templates if templates is None else tuple(templates)
        rows = [
            self._encode(list(phrases[start : start + self.chunk]), templates)
            for start in range(0, len(phrases), self.chunk)
        ]
        return torch.cat(rows) if rows else torch.zeros(0, self.embed_dim)

    def _encode(self, phrases: list[str], templates: tuple[str, ...]) -> Tensor:
        sentences = [template.replace("{}", phrase) for phrase in phrases for template in templates]
        sentence = self.sentence_encoder(sentences).float().cpu().view(len(phrases), len(templates), -1).mean(1)
        return self.read_out(F.normalize(sentence - self.mean, dim=-1))

    def read_out(self, sentence: Tensor) -> Tensor:
        """Centred unit sentence embeddings (N, D) -> unit rows (N, C)."""
        num_classes = self.embed_dim - self.num_rows
        similarity = (sentence @ self.anchors.T - self.penalty)[:, self.pair_anchor]
        classes = _best(similarity, self.pair_class, num_classes)
        rows = _best(sentence @ self.row_words.T, self.row_index, self.num_rows)
        weights = [(classes / self.tau).exp(), self.row_gain * (rows / self.tau).exp()]
        return F.normalize(torch.cat(weights, dim=1), dim=-1)


def _best(similarity: Tensor, index: Tensor, size: int) -> Tensor:
    """Largest similarity (N, P) of every index -> (N, size); -1 where an index has none."""
    best = similarity.new_full((len(similarity), size), -1.0)
    return best.scatter_reduce(1, index.expand(len(similarity), -1), similarity, "amax")
