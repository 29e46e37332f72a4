"""Mask heads whose decoders read the names that are asked for.

This is PMP-style: our reading of the abstract of PMP (arXiv 2412.10292), no reproduction.

Shapes: B images, Q proposals, S phrases, C channels of the text space, h x w mask grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from ovdense.models.mask_heads.fcclip_head import FCCLIPHead
from ovdense.models.mask_heads.ovseg_head import OVSegHead
from ovdense.models.mask_heads.prompt_guide import PromptGuide
from ovdense.registry import MODELS
from ovdense.structures import MaskProposals


class PromptGuidedMixin:
    """Prompts for a head with a text classifier; to be named before it among the bases.

    The phrases of the vocabulary are the prompts of every layer of the decoder, so that masks depend on what is asked
    for, and not only their names. With the gates at 0, where they start, the head is the plain one.

    Args:
        prompt_heads: heads of the attention to the prompts.
        kwargs: those of the head.
    """

    text_free = False

    def __init__(self, *, prompt_heads: int = 8, **kwargs) -> None:
        super().__init__(**kwargs)
        self.prompt_guide = PromptGuide(self.transformer_decoder, self.embed_dim, num_heads=prompt_heads)

    def forward(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> tuple[list[Tensor], Sequence[Tensor]]:
        """Class logits (B,Q,K+1) and mask logits (B,Q,h,w) of every decoder layer."""
        with self._guided():
            return super().forward(x, batch_data_samples)

    def propose(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> MaskProposals:
        """Masks and embeddings of the last layer for the present vocabulary."""
        with self._guided():
            return super().propose(x, batch_data_samples)

    @contextmanager
    def _guided(self) -> Iterator[None]:
        if self._classes is None:
            raise RuntimeError(f"{type(self).__name__} has no classes: call set_classes before it proposes masks")
        self.prompt_guide.set(self._classes.rows)
        try:
            yield
        finally:
            self.prompt_guide.set(None)


@MODELS.register_module()
class PromptGuidedFCCLIPHead(PromptGuidedMixin, FCCLIPHead):
    """FC-CLIP's head with prompts in its masked decoder.

    Args:
        kwargs: ``prompt_heads``, and those of ``FCCLIPHead``.
    """


@MODELS.register_module()
class PromptGuidedOVSegHead(PromptGuidedMixin, OVSegHead):
    """OVSeg's head with prompts in its DETR decoder.

    Args:
        kwargs: ``prompt_heads``, and those of ``OVSegHead``.
    """
