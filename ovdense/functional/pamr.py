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

# Elements of one product (classes x rows x columns): small enough for the processor's cache.
BAND_ELEMENTS = 1 << 17


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
    affinity = pamr_affinity(image, dilations) if num_iter else None
    size = tuple(image.shape[-2:])
    for start in range(0, masks.shape[1], class_chunk):
        chunk = masks[:, start : start + class_chunk].float()
        if tuple(chunk.shape[-2:]) != size:
            chunk = F.interpolate(chunk, size=size, mode="bilinear", align_corners=True)
        yield start, propagate(chunk, affinity, dilations, num_iter) if num_iter else chunk


def propagate(masks: Tensor, affinity: Tensor, dilations: Sequence[int], num_iter: int) -> Tensor:
    """``num_iter`` times: mask <- sum over neighbours of affinity * mask, (B, S, H, W) with affinity (B, N, H, W).

    Holds two copies of the masks; no tensor has classes and neighbours at once.
    """
    _check_dilations(dilations)
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
