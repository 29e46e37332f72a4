"""Pixel-adaptive mask refinement (PAMR): masks flow between pixels of similar colour.

"Single-Stage Semantic Segmentation from Image Labels" (arXiv 2005.08104), section 3.2; settings as in NACLIP and
Talk2DINO.

Shapes: B images, S classes, H x W pixels, N = 8 x number of dilations neighbours of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Elements (classes x pixels) worked on together, which the processor's cache holds: of shifted maps, of bags.
BAND_ELEMENTS, BLOCK_ELEMENTS = 1 << 17, 1 << 19
FEWEST_CLASSES_FOR_BAGS = 6  # with fewer, shifting whole maps is faster


def neighbour_offsets(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """(dy, dx) in pixels of the 8 neighbours at every dilation, without the pixel itself."""
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    return [(y * dilation, x * dilation) for dilation in dilations for y, x in steps]


def pamr_affinity(image: Tensor, dilations: Sequence[int] = (8, 16)) -> Tensor:
    """How much of a pixel's new value comes from each neighbour, (B, 3, H, W) -> (B, N, H, W), summing to 1 over N.

    Softmax over the neighbours of the channel mean of ``-|difference| / (1e-8 + 0.1 * deviation)``; the deviation is
    that of the 9-neighbourhoods at all dilations; pixels beyond the border repeat it. The image's scale cancels.
    """
    _check_dilations(dilations)
    offsets, margin = neighbour_offsets(dilations), max(dilations)
    padded = F.pad(image.float(), [margin] * 4, mode="replicate")
    centre = _shifted(padded, 0, 0, margin)
    samples = 9 * len(dilations)
    mean = centre * len(dilations)
    for dy, dx in offsets:
        mean += _shifted(padded, dy, dx, margin)
    mean /= samples
    square = (centre - mean).square_().mul_(len(dilations))
    for dy, dx in offsets:
        square += (_shifted(padded, dy, dx, margin) - mean).square_()
    softness = square.div_(samples - 1).sqrt_().mul_(0.1).add_(1e-8)
    differences = ((_shifted(padded, dy, dx, margin) - centre).abs_() for dy, dx in offsets)
    return torch.stack([difference.div_(softness).mean(1).neg_() for difference in differences], 1).softmax(1)


def pamr(
    image: Tensor,
    masks: Tensor,
    num_iter: int = 10,
    dilations: Sequence[int] = (8, 16),
    class_chunk: int = 32,
) -> Tensor:
    """Refined masks (B, S, H, W) of class scores (B, S, h, w) on the image (B, 3, H, W).

    Masks of another size are first resized to the image (bilinear, align_corners=True). Classes do not act on each
    other, so any subset may be refined alone; ``class_chunk`` bounds the working memory and changes no result.

    Args:
        image: the image that guides; in the SCLIP family the normalised input, in Talk2DINO raw 0..255 values.
        masks: (B, S, h, w) scores, any range.
        num_iter: iterations; 0 only resizes.
        dilations: distances of the 8 neighbours in pixels.
        class_chunk: classes refined at once.
    """
    out = masks.new_empty(*masks.shape[:2], *image.shape[-2:], dtype=torch.float32)
    for start, refined in pamr_chunks(image, masks, num_iter, dilations, class_chunk):
        out[:, start : start + refined.shape[1]] = refined
    return out


def pamr_chunks(
    image: Tensor,
    masks: Tensor,
    num_iter: int = 10,
    dilations: Sequence[int] = (8, 16),
    class_chunk: int = 32,
) -> Iterator[tuple[int, Tensor]]:
    """As ``pamr``, some classes at a time: (first class, refined (B, at most class_chunk, H, W)), for streaming."""
    if image.ndim != 4 or masks.ndim != 4 or image.shape[0] != masks.shape[0]:
        raise ValueError(
            f"image and masks must be (B, 3, H, W) and (B, S, h, w), got {tuple(image.shape)} and {tuple(masks.shape)}"
        )
    if num_iter < 0 or class_chunk < 1:
        raise ValueError(f"num_iter must be >= 0 and class_chunk >= 1, got {num_iter} and {class_chunk}")
    propagation = Propagation(pamr_affinity(image, dilations), dilations) if num_iter else None
    size = tuple(image.shape[-2:])
    for start in range(0, masks.shape[1], class_chunk):
        chunk = masks[:, start : start + class_chunk].float()
        if tuple(chunk.shape[-2:]) != size:
            chunk = F.interpolate(chunk, size=size, mode="bilinear", align_corners=True)
        yield start, propagation(chunk, num_iter) if num_iter else chunk


class Propagation:
    """Masks that flow by one affinity: ``propagation(masks (B, S, H, W), num_iter) -> (B, S, H, W)``.

    Each iteration is mask <- sum over neighbours of affinity * mask. A pixel's new values, of all classes at once, are
    a weighted sum of N rows of the table (pixels, classes): an embedding bag, which reads each neighbour's classes in
    one piece. On a CPU this is several times faster than shifting whole maps, which a few classes and other devices
    are left with. No tensor has classes and neighbours at once.

    Args:
        affinity: (B, N, H, W) as ``pamr_affinity`` gives it.
        dilations: those of the affinity.
    """

    def __init__(self, affinity: Tensor, dilations: Sequence[int]) -> None:
        _check_dilations(dilations)
        if affinity.shape[1] != 8 * len(dilations):
            raise ValueError(
                f"dilations {tuple(dilations)} have {8 * len(dilations)} neighbours, got affinity "
                f"{tuple(affinity.shape)}: give both functions the same dilations"
            )
        self.affinity, self.dilations = affinity, tuple(dilations)
        self._bags: tuple[Tensor, Tensor] | None = None
        self._tables: tuple[Tensor, Tensor] | None = None  # kept from call to call: fresh memory costs time

    def __call__(self, masks: Tensor, num_iter: int) -> Tensor:
        if num_iter == 0:
            return masks
        if masks.device.type != "cpu" or masks.shape[1] < FEWEST_CLASSES_FOR_BAGS:
            return _propagate_shifted(masks, self.affinity, self.dilations, num_iter)
        if self._bags is None:
            places = neighbour_places(self.affinity.shape[-2:], self.dilations)
            self._bags = places, self.affinity.flatten(2).transpose(1, 2).contiguous()
        places, weights = self._bags
        out = masks.new_empty(masks.shape)  # contiguous, as flatten below needs
        for one, weight, refined in zip(masks.flatten(2), weights, out.flatten(2)):
            self._flow(one, places, weight, num_iter, refined)
        return out

    def _flow(self, masks: Tensor, places: Tensor, weights: Tensor, num_iter: int, out: Tensor) -> None:
        """One image: masks and out (S, H * W), places and weights (H * W, N)."""
        shape = masks.shape[::-1]
        if self._tables is None or self._tables[0].shape != shape:
            self._tables = masks.new_empty(shape), masks.new_empty(shape)
        old, new = self._tables
        old.copy_(masks.t())
        pixels = max(BLOCK_ELEMENTS // len(masks), 1)
        for step in range(num_iter):
            target = out.t() if step == num_iter - 1 else new
            for start in range(0, len(old), pixels):
                block = slice(start, start + pixels)
                target[block] = F.embedding_bag(places[block], old, per_sample_weights=weights[block], mode="sum")
            old, new = new, old


def propagate(masks: Tensor, affinity: Tensor, dilations: Sequence[int], num_iter: int) -> Tensor:
    """``num_iter`` times: mask <- sum over neighbours of affinity * mask, (B, S, H, W) with affinity (B, N, H, W).

    For many masks on one image make a ``Propagation`` once.
    """
    return Propagation(affinity, dilations)(masks, num_iter)


def neighbour_places(size: tuple[int, int], dilations: Sequence[int]) -> Tensor:
    """Where the neighbours of each pixel lie in the flattened image, (H * W, N) int32; beyond the border it repeats."""
    height, width = size
    y, x = torch.arange(height, dtype=torch.int32)[:, None], torch.arange(width, dtype=torch.int32)
    offsets = neighbour_offsets(dilations)
    places = [(y + dy).clamp(0, height - 1) * width + (x + dx).clamp(0, width - 1) for dy, dx in offsets]
    return torch.stack(places, dim=-1).flatten(0, 1)


def _propagate_shifted(masks: Tensor, affinity: Tensor, dilations: Sequence[int], num_iter: int) -> Tensor:
    """``propagate`` map by map: two padded copies of the masks, a multiply-add for each neighbour."""
    offsets, margin = neighbour_offsets(dilations), max(dilations)
    _, classes, height, width = masks.shape
    old = F.pad(masks, [margin] * 4, mode="replicate")
    new = torch.empty_like(old)
    rows = max(BAND_ELEMENTS // (classes * width), 1) if masks.device.type == "cpu" else height
    for _ in range(num_iter):
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            target = new[..., margin + top : margin + bottom, margin : margin + width]
            for n, (dy, dx) in enumerate(offsets):
                weight = affinity[:, n : n + 1, top:bottom]
                source = old[..., margin + top + dy : margin + bottom + dy, margin + dx : margin + dx + width]
                torch.mul(source, weight, out=target) if n == 0 else target.addcmul_(source, weight)
        _replicate_border(new, margin)
        old, new = new, old
    return old[..., margin : margin + height, margin : margin + width]


@dataclass(frozen=True, kw_only=True)
class PAMRRefiner:
    """PAMR with its settings: ``refiner(image (B, 3, H, W), masks (B, S, h, w)) -> (B, S, H, W)``."""

    num_iter: int = 10
    dilations: tuple[int, ...] = (8, 16)
    class_chunk: int = 32

    def __call__(self, image: Tensor, masks: Tensor) -> Tensor:
        return pamr(image, masks, self.num_iter, self.dilations, self.class_chunk)

    def chunks(self, image: Tensor, masks: Tensor) -> Iterator[tuple[int, Tensor]]:
        """As ``pamr_chunks``: for many classes whose refined maps need not be held together."""
        return pamr_chunks(image, masks, self.num_iter, self.dilations, self.class_chunk)


def _shifted(padded: Tensor, dy: int, dx: int, margin: int) -> Tensor:
    height, width = padded.shape[-2] - 2 * margin, padded.shape[-1] - 2 * margin
    return padded[..., margin + dy : margin + dy + height, margin + dx : margin + dx + width]


def _replicate_border(padded: Tensor, margin: int) -> None:
    """Repeat the border of the inner part into the margin, in place."""
    padded[..., :margin] = padded[..., margin : margin + 1]
    padded[..., -margin:] = padded[..., -margin - 1 : -margin]
    padded[..., :margin, :] = padded[..., margin : margin + 1, :]
    padded[..., -margin:, :] = padded[..., -margin - 1 : -margin, :]


def _check_dilations(dilations: Sequence[int]) -> None:
    if not dilations or min(dilations) < 1:
        raise ValueError(f"dilations must be positive pixel distances, got {tuple(dilations)}")
