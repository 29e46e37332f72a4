"""BARON's distillation: sentences of region words must mean what CLIP sees in the crop around them (arXiv 2302.13996).

Shapes: N regions of all bags of a batch, W words each, D channels of a word, S bags, C channels of the space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.bag_alignment import bag_contrast, box_waves, same_set_ids
from ovdense.functional.neighbourhood import Bag
from ovdense.models.backbones.transformer import TransformerBackbone
from ovdense.models.text_encoders.pseudo_words import PseudoWordEncoder

QUEUES = ("text", "image", "word", "patch")


class BagDistiller(BaseModule):
    """Losses of pseudo words (N,W,D) of the boxes of bags against a CLIP's image tower.

    Args:
        num_words: W.
        word_dim: D.
        bag_scale: factor of the cosines of whole bags.
        single_scale: factor of the cosines of single regions.
        bag_weight: factor of the loss of bags.
        single_weight: factor of the loss of single regions; 0 for none.
        queue_length: rows that are kept of earlier batches as further negatives.
    """

    def __init__(
        self,
        *,
        num_words: int,
        word_dim: int,
        bag_scale: float = 30.0,
        single_scale: float = 50.0,
        bag_weight: float = 1.0,
        single_weight: float = 0.1,
        queue_length: int = 1024,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_words, self.word_dim, self.queue_length = num_words, word_dim, queue_length
        self.bag_scale, self.single_scale = bag_scale, single_scale
        self.bag_weight, self.single_weight = bag_weight, single_weight
        self.position = nn.Sequential(
            nn.Linear(512, word_dim), nn.LayerNorm(word_dim), nn.Linear(word_dim, num_words * word_dim)
        )
        self.queues: dict[str, tuple[Tensor, Tensor]] = {}

    def positions(self, relative: Tensor) -> Tensor:
        """What the place of a box (N,4), xyxy in its bag's span, adds to its words: (N,W,D)."""
        centre, size = (relative[:, :2] + relative[:, 2:]) / 2, relative[:, 2:] - relative[:, :2]
        return self.position(box_waves(torch.cat([centre, size], 1))).unflatten(1, (self.num_words, self.word_dim))

    def forward(
        self,
        words: Tensor,
        kept: Tensor,
        bags: Sequence[Sequence[Sequence[Sequence[Bag]]]],
        image_ids: Sequence[int],
        images: Tensor,
        encoder: PseudoWordEncoder,
        teacher: TransformerBackbone,
        crop_size: int,
    ) -> dict[str, Tensor]:
        """``loss_bag`` and ``loss_single``.

        Args:
            words: (N,W,D), picture after picture, proposal, group and order as in ``bags``.
            kept: (N,W) of bool, the words that are read.
            bags: of each picture, of each proposal, groups x permutations (``sample_bags``).
            image_ids: number of each picture.
            images: (B,3,H,W) normalised for the teacher.
            encoder: the text tower.
            teacher: frozen ViT of the same CLIP, with ``capture=('block_input',)`` and ``with_global=True``.
            crop_size: pixels that the teacher sees of a bag.
        """
        flat = [
            (picture, proposal, bag)
            for picture, proposals in enumerate(bags)
            for proposal, groups in enumerate(proposals)
            for orders in groups
            for bag in orders
        ]
        relative = torch.cat([bag.relative for _, _, bag in flat]).to(words)
        words = words + self.positions(relative)
        counts = [len(bag.cells) for _, _, bag in flat]
        text, word_rows = self.read(words, kept, counts, encoder)
        spans = torch.stack([torch.cat([bag.span.new_tensor([picture]), bag.span]) for picture, _, bag in flat])
        with torch.no_grad():
            crops = roi_align(images, spans.to(images), (crop_size, crop_size), 1.0, 2, "avg", True)
            features = teacher(crops)
            image = F.normalize(features.global_embedding, dim=-1)
        owners = [(picture, proposal) for picture, proposal, _ in flat]
        numbers = {owner: index for index, owner in enumerate(dict.fromkeys(owners))}
        owners = [numbers[owner] for owner in owners]
        pictures = torch.tensor([image_ids[picture] for picture, _, _ in flat], device=words.device)
        ids = same_set_ids([bag.cells for _, _, bag in flat], owners).to(words.device)
        queued = self.queued("text", "image", pictures)
        loss = bag_contrast(text, image, self.bag_scale, ids=ids, image_ids=pictures, **queued)
        losses = dict(loss_bag=self.bag_weight * loss)
        found = dict(text=(text, pictures), image=(image, pictures))
        if self.single_weight:
            patches = self.patch_rows(features, teacher, relative, counts)
            owner_of = torch.tensor(owners).repeat_interleave(torch.tensor(counts))
            cells = [cell for _, _, bag in flat for cell in bag.cells]
            ids = (owner_of * 9 + torch.tensor(cells)).to(words.device)
            pictures = pictures.repeat_interleave(torch.tensor(counts, device=words.device))
            queued = self.queued("word", "patch", pictures)
            loss = bag_contrast(word_rows, patches, self.single_scale, ids=ids, image_ids=pictures, **queued)
            losses["loss_single"] = self.single_weight * loss
            found.update(word=(word_rows, pictures), patch=(patches, pictures))
        self.enqueue(found)
        return losses

    def read(self, words: Tensor, kept: Tensor, counts: list[int], encoder: PseudoWordEncoder) -> tuple[Tensor, Tensor]:
        """Unit embeddings (S,C) of the sentences of all boxes of a bag, and (N,C) of the words of each box."""
        sentences = [part.flatten(0, 1) for part in words.split(counts)]
        masks = [part.flatten() for part in kept.split(counts)]
        longest = max(len(part) for part in sentences)
        padded = torch.stack([F.pad(part, (0, 0, 0, longest - len(part))) for part in sentences])
        read = torch.stack([F.pad(mask, (0, longest - len(mask))) for mask in masks])
        tokens, end = encoder.sentences(padded, read)
        length = int(end.max()) + 1
        text, own = encoder.encode_with_words(tokens[:, :length], end)
        rows = []
        for sentence, part in zip(own, kept.split(counts)):
            places = part.sum(1).tolist()
            rows += [piece.mean(0) for piece in sentence[1 : 1 + sum(places)].split(places)]
        return text, F.normalize(torch.stack(rows), dim=-1)

    def patch_rows(self, features, teacher: TransformerBackbone, relative: Tensor, counts: list[int]) -> Tensor:
        """Unit embeddings (N,C) of each box in the teacher's own patches of the bag's crop."""
        tokens = value_tokens(teacher, features.extras["block_input"], features.grid)
        bag = torch.arange(len(counts), device=relative.device).repeat_interleave(
            torch.tensor(counts, device=relative.device)
        )
        rois = torch.cat([bag[:, None].to(relative), relative], 1)
        pooled = roi_align(tokens, rois.to(tokens), (1, 1), float(tokens.shape[-1]), 2, "avg", True)
        return F.normalize(pooled[..., 0, 0], dim=-1)

    def queued(self, text: str, image: str, pictures: Tensor) -> dict[str, Tensor]:
        if text not in self.queues:
            return {}
        rows, ids = self.queues[text]
        return dict(
            text_queue=rows.to(pictures.device),
            image_queue=self.queues[image][0].to(pictures.device),
            queue_image_ids=ids.to(pictures.device),
        )

    @torch.no_grad()
    def enqueue(self, found: dict[str, tuple[Tensor, Tensor]]) -> None:
        """The newest rows come first; the oldest fall out."""
        for name, (rows, ids) in found.items():
            old = self.queues.get(name, (rows[:0], ids[:0]))
            self.queues[name] = tuple(
                torch.cat([new.detach(), kept.to(new)])[: self.queue_length] for new, kept in zip((rows, ids), old)
            )


def value_tokens(teacher: TransformerBackbone, block_input: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patches (B,C,h,w) by their values in the last block on the residual of the class token."""
    parts = teacher.parts(teacher.blocks()[-1])
    tokens = parts.split(block_input, grid, teacher.prefix, needs_qk=False)
    own = block_input[:, :1] + parts.branch(tokens.v, tokens)
    own = teacher.to_text_space(parts.mlp(own)[:, teacher.prefix :])
    return own.transpose(1, 2).unflatten(2, grid)
