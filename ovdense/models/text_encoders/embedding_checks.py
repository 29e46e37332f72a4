"""What can be told about a file of class embeddings without the model that made it: gaps, lengths, order of the rows.

Shapes: K classes, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from ovdense.models.text_encoders.embedding_files import (
    background_embedding,
    load_class_embeddings,
    missing_classes,
    named_rows,
    read_embeddings,
)
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import ClassEmbeddings


@dataclass
class EmbeddingReport:
    """Findings about a file; ``lines`` says them to a reader.

    Args:
        classes: K of the vocabulary.
        channels: C.
        missing: classes without an embedding.
        norms: shortest and longest vector as stored.
        mean_cosine: mean over pairs of different classes; above 0.9 the rows hardly differ.
        repeated: pairs of classes with the same vector.
        background: largest cosine of the background's vector with a class, and that class; None without one.
        agreement: share of the classes whose nearest row in the other file is their own; None without one.
        swapped: classes for which it is not, with what they are nearest to.
    """

    classes: int
    channels: int
    missing: list[str]
    norms: tuple[float, float]
    mean_cosine: float | None = None
    repeated: list[tuple[str, str]] = field(default_factory=list)
    background: tuple[float, str] | None = None
    agreement: float | None = None
    swapped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return not self.missing

    def lines(self) -> list[str]:
        have = self.classes - len(self.missing)
        text = [f"{have} of {self.classes} classes have an embedding of {self.channels} channels"]
        if self.missing:
            text.append(f"without: {', '.join(self.missing[:20])}{', ...' * (len(self.missing) > 20)}")
        low, high = self.norms
        text.append(
            "unit vectors" if abs(low - 1) + abs(high - 1) < 0.01 else f"lengths {low:.2f} to {high:.2f}, made unit"
        )
        if self.mean_cosine is not None:
            text.append(f"mean cosine of two classes {self.mean_cosine:.3f}")
        if self.repeated:
            text.append(f"the same vector: {'; '.join(' = '.join(pair) for pair in self.repeated[:5])}")
        if self.background:
            text.append(f"background vector: nearest class {self.background[1]}, cosine {self.background[0]:.3f}")
        if self.agreement is not None:
            text.append(f"nearest to itself in the other file: {100 * self.agreement:.1f} % of the classes")
            text += [f"  {name} is nearest to {other}" for name, other in self.swapped[:10]]
        return text


def check_embeddings(path: str | Path, vocabulary, *, rows=None, against=None, against_rows=None) -> EmbeddingReport:
    """Reads a file of class embeddings and says what it holds.

    Args:
        vocabulary: the classes that are wanted, a source of ``load_vocabulary``.
        rows: what the rows of a table stand for; None for the vocabulary.
        against: another file of the same text space, to check the order of the rows with.
        against_rows: the same for the other file.

    Raises:
        ValueError: a table of another length.
    """
    vocabulary = load_vocabulary(vocabulary)
    content, _ = read_embeddings(Path(path))
    if not isinstance(content, dict) and content.ndim == 2 and rows is not None:
        content = named_rows(content, load_vocabulary(rows, duplicates="keep"))
    missing = missing_classes(content, vocabulary) if isinstance(content, dict) else []
    stored = (
        torch.stack([v.reshape(-1) for v in content.values()]) if isinstance(content, dict) else content.flatten(0, -2)
    )
    lengths = stored.float().norm(dim=1)
    report = EmbeddingReport(
        vocabulary.num_classes, stored.shape[1], missing, (lengths.min().item(), lengths.max().item())
    )
    kept = [index for index, name in enumerate(vocabulary.classes) if name not in missing]
    if not kept:
        return report
    known = load_class_embeddings(content, vocabulary.subset(kept))
    mean = class_rows(known)
    cosine = mean @ mean.T
    others = ~torch.eye(len(mean), dtype=torch.bool)
    report.mean_cosine = cosine[others].mean().item() if len(mean) > 1 else None
    names = known.vocabulary.classes
    same = ((cosine > 1 - 1e-6) & others).triu().nonzero().tolist()
    report.repeated = [(names[a], names[b]) for a, b in same]
    report.background = _background(content, mean, names)
    if against is not None:
        other = class_rows(load_class_embeddings(against, known.vocabulary, rows=against_rows))
        nearest = nearest_rows(mean, other)
        report.agreement = (nearest == torch.arange(len(mean))).float().mean().item()
        report.swapped = [(names[a], names[b]) for a, b in enumerate(nearest.tolist()) if a != b]
    return report


def class_rows(embeddings: ClassEmbeddings) -> torch.Tensor:
    """One unit row a class (K, C): the mean of its phrases."""
    sums = embeddings.rows.new_zeros(embeddings.num_classes, embeddings.embed_dim)
    return torch.nn.functional.normalize(sums.index_add(0, embeddings.class_index, embeddings.rows), dim=1)


def nearest_rows(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Index of the nearest row of another table, each table less its mean, (K, C) x (K, C) -> (K,)."""
    if rows.shape[1] != others.shape[1]:
        raise ValueError(
            f"tables of two text spaces cannot be compared: {rows.shape[1]} and {others.shape[1]} channels"
        )
    centred = [torch.nn.functional.normalize(one - one.mean(0), dim=1) for one in (rows, others)]
    return (centred[0] @ centred[1].T).argmax(1)


def _background(content, mean: torch.Tensor, names) -> tuple[float, str] | None:
    try:
        row = background_embedding(content, None if isinstance(content, dict) else len(names))
    except ValueError:
        return None
    best = (mean @ row).max(0)
    return best.values.item(), names[int(best.indices)]
