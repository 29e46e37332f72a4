"""A CLIP's image tower trained with the set of names that are to be seen, against a frozen text tower.

Shapes: B pictures, N = h * w patches, W words, T templates, C channels of the text space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovdense.functional.position import resize_position_table
from ovdense.models.backbones.image_tower import random_image_tower
from ovdense.models.losses.name_losses import assigned_contrast, name_contrast, pool_by_name
from ovdense.models.vocabulary_files import load_templates, load_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import Vocabulary


@MODELS.register_module()
class NameContrastPretrainer(BaseModel):
    """Image tower on pictures (B,3,H,W) and the words that are true of them; nothing says where.

    Up to three losses against the bank of words, all from image-level words:

    - the class token must find the true words (``class_weight``);
    - each word's best patches must (``patch_weight``; the idea of PACL, arXiv 2212.04994);
    - each patch is assigned to one of the picture's names by the model's own present judgement, every name to some
      patches, and must find that name among all words that are not true (``assignment_weight``).

    With the first alone the model is an ordinary CLIP, whose patches are not trained to mean anything.

    Args:
        vision: keyword arguments of open_clip's ``VisionTransformer`` (``output_tokens`` is set here).
        text_encoder: config of the frozen text encoder that gives the words' rows.
        vocabulary: the bank of words, as ``load_vocabulary`` takes it.
        templates: a step sees the words through one of them, drawn at random.
        class_weight: factor of the class token's loss.
        patch_weight: factor of the pooled patches' loss.
        assignment_weight: factor of the assigned patches' loss.
        sharpness: factor of the cosines in the softmax over patches of the pooled loss.
        mosaic: sides of the grid that pictures of a batch are tiled into, (2, 2) for four pictures in one of twice the
            size; every tile's patches must find the words of their own picture, so that what is seen in one place is
            not said of another. Borders of the tiles move at random by whole patches.
        scale: first value of the learnt factor of the cosines, and the largest allowed.
        data_preprocessor: mmengine's; pictures must come out normalised.
    """

    def __init__(
        self,
        *,
        vision: dict,
        text_encoder: dict,
        vocabulary,
        templates: str | Sequence[str] = "scenes-5",
        class_weight: float = 1.0,
        patch_weight: float = 1.0,
        assignment_weight: float = 0.0,
        sharpness: float = 12.0,
        mosaic: tuple[int, int] = (1, 1),
        scale: tuple[float, float] = (12.0, 60.0),
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.visual = random_image_tower(**vision)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale[0])))
        self.largest_scale, self.sharpness = math.log(scale[1]), sharpness
        self.mosaic = mosaic
        self.class_weight, self.patch_weight, self.assignment_weight = class_weight, patch_weight, assignment_weight
        rows = encode_words(load_vocabulary(vocabulary), text_encoder, load_templates(templates))
        if rows.shape[-1] != self.visual.output_dim:
            raise ValueError(
                f"the text encoder has {rows.shape[-1]} channels, vision.output_dim is {self.visual.output_dim}: "
                "give both the same number"
            )
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, inputs: Tensor, data_samples=None, *, words: Tensor | None = None, mode: str = "tensor"):
        """Losses in mode ``loss``; else the class token (B,C) and the patches (B,N,C), not normalised.

        ``words`` (B, W) holds 1 for the names of what is to be seen and a lesser weight for other true words.
        """
        return self.loss(inputs, words) if mode == "loss" else self.encode(inputs)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class token (B,C) and patches (B,N,C) in the text space, of images of any size."""
        tower = self.visual
        x = tower.conv1(images)
        grid = tuple(x.shape[-2:])
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], 1)
        x = x + resize_position_table(tower.positional_embedding, grid, "mmseg").to(x)
        x = tower.ln_post(tower.transformer(tower.ln_pre(x))) @ tower.proj
        return x[:, 0], x[:, 1:]

    def loss(self, images: Tensor, words: Tensor) -> dict[str, Tensor]:
        """Losses of normalised pictures (B,3,H,W) and weights of the true words (B,W)."""
        words = words.to(self.rows)
        rows = self.rows[torch.randint(len(self.rows), ())]
        scale = self.logit_scale.clamp(max=self.largest_scale).exp()
        images, words, tiles = tile_pictures(images, words, self.mosaic, self.visual.patch_size[0])
        token, patches = self.encode(images)
        all_words = words.amax(1)
        by_token = name_contrast(scale * F.normalize(token, dim=-1) @ rows.T, all_words)
        losses = dict(loss_class=self.class_weight * by_token)
        if not (self.patch_weight or self.assignment_weight):
            return losses
        cosines = (F.normalize(patches, dim=-1) @ rows.T).unflatten(1, tiles.shape)
        of_tiles = [cosines[:, tiles == tile] for tile in range(words.shape[1])]  # (B, n, W) each
        if self.patch_weight:
            pooled = [pool_by_name(part, self.sharpness) for part in of_tiles]
            by_tile = [name_contrast(scale * part, words[:, tile]) for tile, part in enumerate(pooled)]
            losses["loss_patches"] = self.patch_weight * torch.stack(by_tile).mean()
        if self.assignment_weight:
            by_tile = [
                assigned_contrast(scale * part, words[:, tile], *picture_names(words[:, tile]))
                for tile, part in enumerate(of_tiles)
            ]
            losses["loss_assigned"] = self.assignment_weight * torch.stack(by_tile).mean()
        return losses


def tile_pictures(images: Tensor, words: Tensor, grid: tuple[int, int], patch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (B * r * c, 3, H, W) as B mosaics of r x c tiles.

    Returns:
        (B, 3, r H, c W) mosaics, the words of their tiles (B, r * c, W), and the tile of every patch, (r h, c w).
    """
    count = grid[0] * grid[1]
    if len(images) % count:
        raise ValueError(f"a batch of {len(images)} pictures does not fill mosaics of {grid[0]} x {grid[1]} tiles")
    sides = [random_sides(length // patch, parts) for length, parts in zip(images.shape[-2:], grid)]
    cells, index = [], torch.arange(count).view(grid)
    for column_of_tiles in range(count):
        row, column = divmod(column_of_tiles, grid[1])
        size = (sides[0][row] * patch, sides[1][column] * patch)
        part = images[column_of_tiles::count]
        if size != tuple(part.shape[-2:]):
            part = F.interpolate(part, size=size, mode="bilinear", align_corners=False, antialias=True)
        cells.append(part)
    rows = [torch.cat(cells[row * grid[1] : (row + 1) * grid[1]], -1) for row in range(grid[0])]
    tiles = index.repeat_interleave(torch.tensor(sides[0]), 0).repeat_interleave(torch.tensor(sides[1]), 1)
    return torch.cat(rows, -2), words.unflatten(0, (-1, count)), tiles.to(images.device)


def random_sides(cells: int, parts: int) -> list[int]:
    """Lengths in patches of ``parts`` tiles, ``parts * cells`` in all; neighbours trade up to a third."""
    sides = [cells] * parts
    for first in range(parts - 1):
        shift = int(torch.randint(-(cells // 3), cells // 3 + 1, ()))
        sides[first] += shift
        sides[first + 1] -= shift
    return sides


def picture_names(words: Tensor) -> tuple[Tensor, Tensor]:
    """Index (B,P) of the words of weight 1 of each picture and which of the P places are taken (B,P)."""
    counts = (words >= 1).sum(1)
    most = max(1, int(counts.max()))
    names = (words >= 1).to(torch.uint8).topk(most, 1).indices
    return names, torch.arange(most, device=words.device) < counts[:, None]


def encode_words(vocabulary: Vocabulary, text_encoder: dict, templates: Sequence[str]) -> Tensor:
    """Unit rows (T, W, C) of the classes' names through each template."""
    rows = []
    for template in templates:
        encoder = MODELS.build({**text_encoder, "templates": (template,)})
        rows.append(encoder.encode(vocabulary).rows)
    return torch.stack(rows)
