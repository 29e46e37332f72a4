"""Label maps whose regions are drawn anew by a model that takes prompts. Trident (arXiv 2411.09219), section 3.4.

Every connected region of a class asks with its box, its surest pixel and the map of the class; masks that the model is
sure of take the region's place.

Shapes: K classes, H x W pixels of the picture, h x w of the half-size maps, R regions of one class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

# class map (h,w), boxes xyxy (R,4) and points xy (R,2) in the picture's pixels -> mask logits (R,H,W), their IoU (R,)
Prompted = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PromptRules:
    """What is asked for, and which answers count.

    Args:
        coarse_threshold: pixels whose top probability is lower belong to no region.
        min_area: pixels, of the half-size map, below which a region does not ask; it keeps its labels.
        min_iou: IoU, as predicted by the model, that an answer must exceed.
        keep_failed: regions whose answer does not count keep their labels, whatever other regions' masks say.
    """

    coarse_threshold: float = 0.2
    min_area: int = 225
    min_iou: float = 0.9
    keep_failed: bool = True


@dataclass(frozen=True)
class ClassRegions:
    """The connected regions of one class on a map.

    Args:
        masks: (R, h, w) bool.
        boxes: (R, 4) first and last column and row of each: x1, y1, x2, y2.
        points: (R, 2) x, y of the pixel where the class is most probable.
    """

    masks: Tensor
    boxes: Tensor
    points: Tensor


def refine_by_prompts(labels: Tensor, probabilities: Tensor, prompted: Prompted, rules: PromptRules) -> Tensor:
    """Labels (H,W) after the regions have been asked for; pixels that no answer covers keep theirs.

    Where masks overlap, the class with the largest sigmoid(mask logit) * probability wins.

    Args:
        labels: (H, W) int64.
        probabilities: (K, H, W) of the classes.
        prompted: asks the model; called once a class.
        rules: see ``PromptRules``.
    """
    height, width = labels.shape
    half = (max(1, height // 2), max(1, width // 2))
    coarse = F.interpolate(labels[None, None].float(), size=half, mode="nearest")[0, 0].long()
    maps = F.interpolate(probabilities[None], size=half, mode="bilinear", align_corners=False)[0]
    if rules.coarse_threshold > 0:
        coarse[maps.amax(0) < rules.coarse_threshold] = -1
    scale = labels.new_tensor([width / half[1], height / half[0]], dtype=torch.float32)

    best, refined = torch.zeros_like(probabilities[0]), labels.clone()
    failed = torch.zeros(half, dtype=torch.bool, device=labels.device)
    for index in coarse.unique().tolist():
        if index < 0 or maps[index].max() < rules.coarse_threshold:
            continue
        regions = class_regions(coarse == index, maps[index], rules.min_area)
        if not len(regions.masks):
            continue
        masks, iou = prompted(maps[index], regions.boxes * scale.repeat(2), regions.points * scale)
        sure = iou > rules.min_iou
        failed |= regions.masks[~sure].any(dim=0)
        if sure.any():
            score = (masks[sure].sigmoid() * probabilities[index]).amax(dim=0) * (masks[sure] > 0).any(dim=0)
            refined = torch.where(score > best, index, refined)
            best = torch.maximum(score, best)
    if rules.keep_failed and failed.any():
        failed = F.interpolate(failed[None, None].float(), size=(height, width), mode="nearest")[0, 0] > 0
        refined = torch.where(failed, labels, refined)
    return refined


def class_regions(inside: Tensor, probability: Tensor, min_area: int) -> ClassRegions:
    """The 8-connected regions (h,w) bool of a class of at least ``min_area`` pixels, in reading order."""
    marks, _ = ndimage.label(inside.cpu().numpy(), structure=np.ones((3, 3), int))
    sizes = np.bincount(marks.ravel())
    wanted = [mark for mark in range(1, len(sizes)) if sizes[mark] >= min_area]
    device, (height, width) = inside.device, inside.shape
    masks = torch.from_numpy(marks).to(device)[None] == torch.tensor(wanted, device=device).view(-1, 1, 1)
    slices = ndimage.find_objects(marks)
    boxes = [(cols.start, rows.start, cols.stop - 1, rows.stop - 1) for rows, cols in (slices[m - 1] for m in wanted)]
    peak = torch.where(masks, probability, -1.0).flatten(1).argmax(dim=1)
    return ClassRegions(
        masks.view(-1, height, width),
        torch.tensor(boxes, dtype=torch.float32, device=device).view(-1, 4),
        torch.stack([peak % width, peak // width], dim=1).float(),
    )
