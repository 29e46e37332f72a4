"""A CLIP that names masked crops: any masks handed in, from a proposal head, another tool or a person.

Shapes: R masks of one picture, V of them with a pixel, C channels of the text space, K classes.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.fusion import region_similarity
from ovdense.functional.mask_crops import iterate_mask_crops, valid_masks
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings


@MODELS.register_module()
class RegionCLIPClassifier(BaseModule):
    """Masks of a picture -> embeddings in the text space, crop by crop (OVSeg, arXiv 2210.04150).

    Args:
        backbone: config of a CLIP image tower, a ``CLIPViT`` for mask prompts; its class token is read.
        size: sides of the crops in pixels; None for what the tower was trained at.
        fill: what the surroundings are painted with: ``mean`` (the mean colour of the CLIP's pictures), ``zero``
            (black), an RGB colour of 0 to 255, or ``keep`` to leave them as they are (Alpha-CLIP).
        expand: sides of the crop relative to the mask's tight box; ``float('inf')`` shows the whole picture.
        mask_prompts: give the tower the masks, where it takes them: for its mask prompts or its alpha channel.
        chunk: crops that go through the tower at once.
        logit_scale: factor of the cosines.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        size: int | None = None,
        fill: str | tuple[float, float, float] = "mean",
        expand: float = 1.0,
        mask_prompts: bool = True,
        chunk: int = 32,
        logit_scale: float = 100.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build({"with_global": True, **backbone})
        if not self.backbone.with_global:
            raise ValueError("crops are named by the image embedding: leave with_global of the backbone on")
        self.size = native_size(self.backbone) if size is None else size
        named = dict(mean=tuple(255 * value for value in self.backbone.image_mean), zero=(0.0, 0.0, 0.0))
        named["keep"] = None
        if isinstance(fill, str) and fill not in named:
            raise ValueError(f"fill is 'mean', 'zero', 'keep' or an RGB colour of 0 to 255, got {fill!r}")
        self.fill = named[fill] if isinstance(fill, str) else tuple(float(value) for value in fill)
        self.expand, self.chunk, self.logit_scale = expand, chunk, logit_scale
        self.mask_prompts = mask_prompts and getattr(self.backbone, "takes_masks", False)

    @property
    def scale(self) -> float:
        """The factor of the cosines."""
        return self.logit_scale

    def attach(self, backbone) -> None:
        """Nothing to take from the backbone of the proposals: the region CLIP has its own."""

    def crops(self, image: Tensor, masks: Tensor):
        """Chunks of crops (n,3,s,s), normalised for the tower, and their masks (n,1,s,s), of an RGB picture of 0..255.

        ``masks`` (V,H,W) bool, none of them empty.
        """
        mean, std = (
            image.new_tensor(values).view(3, 1, 1) for values in (self.backbone.image_mean, self.backbone.image_std)
        )
        normalised = (image / 255 - mean) / std
        colour = self.fill
        if colour is not None:
            colour = ((image.new_tensor(colour).view(3, 1, 1) / 255 - mean) / std).flatten()
        yield from iterate_mask_crops(normalised, masks, self.size, fill=colour, expand=self.expand, chunk=self.chunk)

    def embed(self, crops: Tensor, shown: Tensor | None) -> Tensor:
        """Normalised crops (n,3,s,s) and masks of what they show (n,1,s,s), None to use none -> (n,C)."""
        options = {} if shown is None or not self.mask_prompts else dict(masks=shown)
        return self.backbone(crops, **options).global_embedding

    def forward(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of masks of a picture, (3,H,W) RGB of 0..255 and (R,H,W) bool.

        Returns:
            (V,C), not normalised, and ``valid`` (R,) bool: masks without a pixel have no embedding.
        """
        valid = valid_masks(masks)
        parts = [self.embed(crops, shown) for crops, shown in self.crops(image, masks[valid])]
        if not parts:
            return image.new_zeros((0, self.backbone.embed_dim)), valid
        return torch.cat(parts), valid

    def logits(self, embeddings: Tensor, classes: ClassEmbeddings) -> Tensor:
        """Scaled cosines with the classes, a class by the best of its synonyms: (V,C) -> (V,K)."""
        count = classes.vocabulary.num_classes
        return self.logit_scale * region_similarity(embeddings, classes.rows, classes.class_index, count)


def native_size(backbone) -> int | tuple[int, int]:
    """Side of the pictures that a tower was trained at."""
    visual = getattr(backbone, "visual", None)
    grid = getattr(visual, "grid_size", None)
    if grid is None:
        raise ValueError(f"{type(backbone).__name__} does not say what size it was trained at: set size")
    return tuple(side * backbone.stride for side in grid)
