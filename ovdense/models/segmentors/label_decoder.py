"""From the window grids of one image to its label map, without ever holding classes x height x width.

Shapes: S phrases, K classes, P x Q window grids side by side, H x W output pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.background import background_by_threshold, classes_by_area
from ovdense.functional.label_propagation import undominated
from ovdense.functional.online_argmax import OnlineArgmax, class_chunks
from ovdense.functional.resample import AxisMatrix, apply_separable
from ovdense.functional.similarity import synonym_max
from ovdense.functional.upsample_argmax import separable_argmax

PIXELS_AT_ONCE = 1 << 20
CLASSES_AT_ONCE = 32


@dataclass(frozen=True)
class LabelRules:
    """How logits become labels.

    Args:
        num_classes: K.
        logit_scale: factor of the logits inside the softmax; irrelevant to labels without a threshold.
        softmax: over all phrases; False where the head gives probabilities.
        prob_threshold: pixels of lower top probability become background.
        area_threshold: classes that cover no more than this share of the foreground are dropped.
        background_index: class of the background.
        with_prob: return the top probability as well.
    """

    num_classes: int
    logit_scale: float = 100.0
    softmax: bool = True
    prob_threshold: float | None = None
    area_threshold: float | None = None
    background_index: int = 0
    with_prob: bool = False


@dataclass
class WindowLogits:
    """Phrase logits of one image: ``rows (H,P) @ grids (S,P,Q) @ cols^T (Q,W)`` is the full (S,H,W), never made.

    Args:
        class_index: (S,) class of each phrase.
        refine: takes (s,H,W) maps of some phrases and returns them refined, at any size that it likes.
        contenders_only: refine no classes but those that win a grid cell, where no probability is asked for.
        undominated_only: refine no classes that lie below one other class on the whole grid, likewise.
    """

    grids: Tensor
    rows: AxisMatrix
    cols: AxisMatrix
    class_index: Tensor
    refine: Callable[[Tensor], Tensor] | None = None
    contenders_only: bool = False
    undominated_only: bool = False

    separable = True  # False: ``full`` is more than rows @ grids @ cols^T

    @property
    def size(self) -> tuple[int, int]:
        return len(self.rows), len(self.cols)

    def full(self, phrases: Tensor | slice = slice(None), lines: slice = slice(None)) -> Tensor:
        """(s,H',W) logits of some phrases on some lines, before refinement."""
        return apply_separable(self.grids[phrases], self.rows[lines], self.cols)

    def blocks(self) -> Iterator[slice]:
        """Lines that are worked on together: all of them where a refinement must see the whole image."""
        height, width = self.size
        step = height if self.refine is not None else max(1, PIXELS_AT_ONCE // width)
        for start in range(0, height, step):
            yield slice(start, start + step)


def decode_labels(logits: WindowLogits, rules: LabelRules) -> tuple[Tensor, Tensor | None]:
    """Labels (H,W) int64 and, if asked for, the top probability (H,W)."""
    labels, probability = _winners(logits, rules, None)
    if rules.area_threshold is not None:
        allowed = classes_by_area(labels[None], rules.num_classes, rules.area_threshold, rules.background_index)[0]
        if not allowed.all():
            labels, probability = _winners(logits, rules, allowed)
    if rules.prob_threshold is not None:
        labels = background_by_threshold(labels, probability, rules.prob_threshold, rules.background_index)
    return labels, probability if rules.with_prob else None


def _winners(logits: WindowLogits, rules: LabelRules, allowed: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Labels and, where the rules need it, the top probability; only ``allowed`` (K,) classes may win."""
    wants_prob = rules.with_prob or rules.prob_threshold is not None
    if logits.refine is not None or not logits.separable or (wants_prob and not rules.softmax):
        return _running_winners(logits, rules, allowed, wants_prob)
    result = separable_argmax(
        logits.grids[None],
        logits.rows,
        logits.cols,
        class_index=logits.class_index,
        scale=rules.logit_scale,
        return_prob=wants_prob,
        allowed=None if allowed is None else allowed[logits.class_index],
    )
    labels, probability = result if wants_prob else (result, [None])
    return labels[0], probability[0]


def _running_winners(
    logits: WindowLogits, rules: LabelRules, allowed: Tensor | None, wants_prob: bool
) -> tuple[Tensor, Tensor | None]:
    """The same, block of lines by block of lines and chunk of classes by chunk of classes."""
    phrases = torch.arange(len(logits.class_index), device=logits.class_index.device)
    if logits.refine is not None and not wants_prob:
        if logits.contenders_only:
            phrases = _contenders(logits, allowed)
        elif logits.undominated_only:
            phrases = _undominated(logits, allowed)
    chunks = [
        phrases[chunk.to(phrases.device)].to(logits.grids.device)
        for chunk in class_chunks(logits.class_index[phrases].cpu(), CLASSES_AT_ONCE)
    ]
    labels, probability = [], []
    for lines in logits.blocks():
        best = OnlineArgmax(scale=rules.logit_scale, softmax=rules.softmax and wants_prob)
        for chunk in chunks:
            part = logits.full(chunk, lines)
            if logits.refine is not None:
                part = logits.refine(part)
            best.update(part, logits.class_index[chunk], allowed)
        labels.append(best.labels)
        probability.append(best.probability())
    return torch.cat(labels), torch.cat(probability)


def _contenders(logits: WindowLogits, allowed: Tensor | None) -> Tensor:
    """Phrases (s,) of the classes that win a cell of the grids, of ``allowed`` (K,) classes."""
    index = logits.class_index.to(logits.grids.device)
    grids = logits.grids
    if allowed is not None:
        grids = grids.masked_fill(~allowed.to(grids.device)[index][:, None, None], -torch.inf)
    winners = index[grids.argmax(0)].unique()
    return torch.isin(index, winners).nonzero()[:, 0].to(logits.class_index.device)


def _undominated(logits: WindowLogits, allowed: Tensor | None) -> Tensor:
    """Phrases (s,) that can still win after a refinement that keeps the order of maps, of ``allowed`` (K,) classes."""
    phrases = torch.arange(len(logits.class_index), device=logits.class_index.device)
    if allowed is not None:
        phrases = phrases[allowed.to(phrases.device)[logits.class_index]]
    kept = undominated(logits.grids[phrases.to(logits.grids.device)].flatten(1))
    return phrases[kept.to(phrases.device)]


def class_logits(logits: WindowLogits, rules: LabelRules) -> Tensor:
    """The whole (K,H,W) scaled class logits, for callers who ask for them."""
    full = logits.full()
    if logits.refine is not None:
        full = logits.refine(full)
    scale = rules.logit_scale if rules.softmax else 1.0
    return synonym_max(full[None], logits.class_index, rules.num_classes)[0] * scale


def class_probabilities(logits: WindowLogits, rules: LabelRules) -> Tensor:
    """The whole (K,H,W) class probabilities: softmax over phrases, the best phrase of a class."""
    full = logits.full()
    if rules.softmax:
        full = (full * rules.logit_scale).softmax(dim=0)
    return synonym_max(full[None], logits.class_index, rules.num_classes)[0]


def label_dtype(num_classes: int) -> torch.dtype:
    """uint8 while 255 stays free for ``ignore_index``, int32 beyond."""
    return torch.uint8 if num_classes <= 255 else torch.int32
