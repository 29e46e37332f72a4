"""Coarse masks moved to the edges of their pictures: training targets of FOUND (arXiv 2212.07834, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ovdense.functional.bilateral_solver import bilateral_solve


@torch.no_grad()
def snap_to_edges(images: Tensor, masks: Tensor, min_agreement: float = 0.5) -> Tensor:
    """Bool masks (B,h,w) of patches after a bilateral solver on RGB images (B,3,H,W) in 0..255.

    Holes are filled, and a patch belongs to the new mask where its middle does. A mask that the solver changed to an
    IoU of ``min_agreement`` or less stays as it was. The official code turns masks inside out whose largest part is
    larger than the background, and then nearly always drops them for that rule; here they are kept.
    """
    full = F.interpolate(masks[:, None].float(), images.shape[-2:], mode="bilinear")[:, 0]
    solved = (bilateral_solve(images.float(), full) > 0.5).cpu()
    filled = torch.stack([torch.from_numpy(ndimage.binary_fill_holes(mask.numpy())) for mask in solved])
    filled, coarse = filled.to(masks.device), full > 0.5
    overlap, union = (coarse & filled).sum((1, 2)), (coarse | filled).sum((1, 2))
    snapped = F.interpolate(filled[:, None].float(), masks.shape[-2:], mode="bilinear")[:, 0] > 0
    return torch.where((overlap > min_agreement * union)[:, None, None], snapped, masks.bool())
