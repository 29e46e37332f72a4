"""The encoded vocabulary: one unit row for each phrase, and which class each row speaks for.

Shapes: S phrases (synonyms), K classes, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ovdense.structures.vocabulary import Vocabulary


@dataclass
class ClassEmbeddings:
    """Unit text rows (S, C), the class (S,) of each, the vocabulary they came from, and the text space they live in."""

    rows: Tensor
    class_index: Tensor
    vocabulary: Vocabulary
    space: str

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or len(self.rows) != len(self.class_index):
            raise ValueError(
                f"class embeddings need one class index per row, got rows of shape {tuple(self.rows.shape)} "
                f"and {len(self.class_index)} indices"
            )
        self.class_index = torch.as_tensor(self.class_index, dtype=torch.long)

    @property
    def num_classes(self) -> int:
        return self.vocabulary.num_classes

    @property
    def embed_dim(self) -> int:
        return self.rows.shape[1]

    def subset(self, indices: Sequence[int]) -> ClassEmbeddings:
        """The rows of some classes, which are numbered anew in the order of ``indices``."""
        index = self.class_index
        position = index.new_full((self.num_classes,), -1)
        position[list(indices)] = torch.arange(len(indices), device=index.device)
        keep = position[index] >= 0
        rows = self.rows[keep.to(self.rows.device)]
        return replace(self, rows=rows, class_index=position[index][keep], vocabulary=self.vocabulary.subset(indices))

    def to(self, *args, **kwargs) -> ClassEmbeddings:
        """A copy on another device or of another float type."""
        rows = self.rows.to(*args, **kwargs)
        return replace(self, rows=rows, class_index=self.class_index.to(rows.device))
