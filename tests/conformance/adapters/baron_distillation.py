"""BARON's losses on the stored bags: three calls, whose queues hold what the calls before left."""

from __future__ import annotations

import json
from functools import cached_property

import torch

from ovdense.functional.neighbourhood import Bag
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.losses.bag_of_regions import BagDistiller

# What the case does not state of itself: the statistics of the teacher's pictures, and the boxes of position_embedding.
MEAN, STD = (0.1, 0.2, 0.3), (1.1, 1.2, 1.3)
POSITIONS = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.05, 0.2, 0.45, 0.4]])
PROJECTION = "positional_embed.pos_proj."
CALLS = dict(first=(3, 8), same_ids=(3, 8), queue_negatives=(100, 101))


class Distillation:
    """Losses ``loss_bag_CALL`` and ``loss_single_CALL`` and the gradient of the first call.

    Args:
        adapter: gives the case, the text encoder and the teacher.
    """

    def __init__(self, adapter) -> None:
        self.adapter, self.tensors = adapter, adapter.case.tensors

    @cached_property
    def module(self) -> BagDistiller:
        words, width = self.tensors["kd.pseudo_words"].shape[1:]
        module = BagDistiller(num_words=words, word_dim=width, queue_length=16)
        weights = self.adapter.weights("kd")
        named = {name.replace(PROJECTION, "position."): value for name, value in weights.items()}
        load_strictly(module, named, "the official distillation")
        return module

    @cached_property
    def bags(self) -> list:
        path = self.adapter.case.folder / "sampling_structure.json"
        return [list(map(self._groups, *one.values())) for one in json.loads(path.read_text())]

    @staticmethod
    def _groups(relative, spans, cells) -> list[list[Bag]]:
        cells = iter(cells)
        return [[make(tuple(next(cells)), span, boxes) for boxes in group] for group, span in zip(relative, spans)]

    @cached_property
    def _calls(self) -> tuple[dict, torch.Tensor]:
        words = self.tensors["kd.pseudo_words"].clone().requires_grad_()
        mean, std = (words.new_tensor(value).view(3, 1, 1) for value in (MEAN, STD))
        images = (self.tensors["kd.images"] - mean) / std
        kept, size = torch.ones(words.shape[:2], dtype=torch.bool), self.tensors["image.input"].shape[-1]
        encoder, losses, gradient = self.adapter.encoder("text"), {}, None
        for call, ids in CALLS.items():
            found = self.module(words, kept, self.bags, ids, images, encoder, self.adapter.teacher, size)
            losses.update({f"{name}_{call}": value.detach().reshape(1) for name, value in found.items()})
            if gradient is None:
                (gradient,) = torch.autograd.grad(sum(found.values()), words)
        return losses, gradient

    @property
    def losses(self) -> dict[str, torch.Tensor]:
        return self._calls[0]

    @property
    def first_gradient(self) -> torch.Tensor:
        return self._calls[1]


def make(cells: tuple[int, ...], span: list[float], relative: list[list[float]]) -> Bag:
    """A stored bag; its boxes follow from the span."""
    span, relative = torch.tensor(span), torch.tensor(relative)
    boxes = relative * (span[2:] - span[:2]).repeat(2) + span[:2].repeat(2)
    return Bag(cells, boxes, span, relative)
