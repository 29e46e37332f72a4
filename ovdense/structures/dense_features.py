"""What an image backbone gives to every head.

Shapes: B images, C channels of the text space, h x w patch grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass
class DenseFeatures:
    """Features of a batch of images on one patch grid.

    Args:
        dense: (B, C, h, w) in the text space, not normalised; None for backbones without a text space (DINO).
        global_embedding: (B, C) image embedding, not normalised, or None.
        maps: stage maps for necks and decoders, finest first, each (B, D_i, h_i, w_i).
        stride: pixels of the (padded) input per grid cell.
        image_size: (H, W) of the input images in pixels, before padding.
        padding: (left, top, right, bottom) pixels that the backbone added to reach a whole number of cells;
            the grid covers the padded image.
        extras: fields captured on request, by name: ``q``, ``k``, ``v`` (B, D, h, w), ``attention``
            (B, heads, tokens, tokens), ``cls`` (B, D), ...
    """

    dense: Tensor | None
    global_embedding: Tensor | None = None
    maps: tuple[Tensor, ...] = ()
    stride: int = 16
    image_size: tuple[int, int] | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    extras: dict[str, Tensor] = field(default_factory=dict)

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the patch grid."""
        reference = self.dense if self.dense is not None else self.maps[-1]
        return reference.shape[-2], reference.shape[-1]

    def __len__(self) -> int:
        reference = self.dense if self.dense is not None else self.maps[-1]
        return reference.shape[0]

    def __getitem__(self, index: slice | int) -> DenseFeatures:
        """The features of some images of the batch; an int keeps the batch dimension."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return self.apply(lambda tensor: tensor[index])

    def apply(self, function) -> DenseFeatures:
        """A copy with ``function`` applied to every tensor (``.to(device)``, ``.detach()``, slicing)."""

        def one(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else function(tensor)

        return replace(
            self,
            dense=one(self.dense),
            global_embedding=one(self.global_embedding),
            maps=tuple(one(tensor) for tensor in self.maps),
            extras={name: one(tensor) for name, tensor in self.extras.items()},
        )
