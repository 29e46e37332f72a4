"""Masks that wait for a name.

Shapes: B images, Q proposals, C channels of the text space, h x w grid of the masks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass
class MaskProposals:
    """Proposals of a batch of images, as far as they do not depend on the vocabulary.

    Args:
        mask_logits: (B,Q,h,w), a pixel belongs to the proposal above 0; the grid covers the padded input.
        embeddings: (B,Q,C) of the classifier that learned, not normalised; None where masks were given.
        regions: (B,Q,C) of the frozen CLIP, not normalised; None without that branch.
        usable: (B,Q) bool, proposals that the frozen CLIP could look at; None for all.
    """

    mask_logits: Tensor
    embeddings: Tensor | None = None
    regions: Tensor | None = None
    usable: Tensor | None = None

    def __len__(self) -> int:
        return len(self.mask_logits)

    def __getitem__(self, index: slice | int) -> MaskProposals:
        """The proposals of some images; an int keeps the batch dimension."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        fields = ("mask_logits", "embeddings", "regions", "usable")
        return replace(self, **{name: value[index] for name in fields if (value := getattr(self, name)) is not None})
