"""Class-agnostic mask and box proposals from a small U-Net that marks foreground and votes for object centres.

Shapes: B images of H x W pixels, N proposals; the net works on cells of 2 x 2 pixels, its maps are brought to H x W.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import get_box_tensor
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.ops import nms

from ovdense.functional.vote_grouping import group_votes
from ovdense.registry import MODELS

ASSETS = Path(__file__).parents[2] / "assets" / "models"
STRIDE = 2
VOTE_UNIT = 24.0  # pixels: the net's offsets are in this unit
VOTE_SIGMA = 2.0  # pixels of the blur of the votes
VOTE_DISTANCE = 20.0  # pixels between a vote and the centre that it may still join
SIZE_DIVISOR = 16


class ConvBlock(nn.Module):
    """(B,i,h,w) -> (B,o,h,w): a full and a depthwise separable 3 x 3 convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.depthwise = nn.Conv2d(channels_out, channels_out, 3, padding=1, groups=channels_out, bias=False)
        self.pointwise = nn.Conv2d(channels_out, channels_out, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.pointwise(self.depthwise(x))))


@MODELS.register_module()
class TinyProposalNet(BaseModule):
    """Images -> scored masks and boxes of whatever objects there are, 360 thousand parameters.

    Args:
        pretrained: name of an embedded model (``scenes_proposals``), path of a .safetensors file, or None.
        widths: channels of the four stages.
        vote_weight: factor of the loss of the votes.
        short_side: resize the image's shorter side to so many pixels first; None keeps the size. The embedded weights
            know objects of 28 to 60 pixels.
        scales: further factors of the size; proposals of several scales are merged by NMS.
        foreground_threshold: foreground probability above which a pixel belongs to an object.
        peak_threshold: votes that a centre needs, after smoothing.
        min_pixels: pixels that a proposal needs, at the size the net works on.
        max_per_image: most proposals of an image.
        nms_threshold: box IoU above which the weaker of two proposals of different scales goes.
    """

    image_mean = (0.48145466, 0.4578275, 0.40821073)
    image_std = (0.26862954, 0.26130258, 0.27577711)

    def __init__(
        self,
        *,
        pretrained: str | None = None,
        widths: Sequence[int] = (20, 40, 80, 112),
        vote_weight: float = 1.0,
        short_side: int | None = None,
        scales: Sequence[float] = (1.0,),
        foreground_threshold: float = 0.5,
        peak_threshold: float = 0.25,
        min_pixels: int = 48,
        max_per_image: int = 100,
        nms_threshold: float = 0.6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        a, b, c, d = widths
        self.stem = nn.Conv2d(3, a, 4, stride=STRIDE, padding=1)
        self.encoder = nn.ModuleList([ConvBlock(a, a), ConvBlock(a, b), ConvBlock(b, c), ConvBlock(c, d)])
        self.decoder = nn.ModuleList([ConvBlock(d + c, c), ConvBlock(c + b, b), ConvBlock(b + a, b)])
        self.head = nn.Conv2d(b, 3, 1)
        self.short_side, self.scales, self.nms_threshold = short_side, tuple(scales), nms_threshold
        self.vote_weight = vote_weight
        self.grouping = dict(
            foreground_threshold=foreground_threshold,
            peak_threshold=peak_threshold,
            min_cells=min_pixels,
            max_instances=max_per_image,
            sigma=VOTE_SIGMA,
            max_distance=VOTE_DISTANCE,
        )
        if pretrained is not None:
            self.load_state_dict(_read_weights(pretrained))

    def maps(self, images: Tensor) -> Tensor:
        """(B,3,H,W) -> (B,3,H,W): foreground logit, and x and y offset to the centre in units of 24 pixels."""
        height, width = images.shape[-2:]
        padding = -width % SIZE_DIVISOR, -height % SIZE_DIVISOR
        x = self.stem(F.pad(images, (0, padding[0], 0, padding[1]), mode="replicate"))
        stages = []
        for index, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if index else x)
            stages.append(x)
        for block, stage in zip(self.decoder, reversed(stages[:-1])):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="bilinear"), stage], 1))
        # Interpolated logits put the borders between the cells.
        return F.interpolate(self.head(x), scale_factor=STRIDE, mode="bilinear")[..., :height, :width]

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[InstanceData]:
        """Proposals of RGB images (B,3,H,W) that are normalised with ``image_mean`` and ``image_std``.

        Returns:
            for each image ``bboxes`` (N,4) xyxy in pixels, falling ``scores`` (N,) in [0, 1], ``masks`` (N,H,W) bool.
        """
        size = images.shape[-2:]
        base = 1.0 if self.short_side is None else self.short_side / min(size)
        runs = [self._propose(images, base * scale) for scale in self.scales]
        if len(runs) == 1:
            return runs[0]
        return [self._merge(InstanceData.cat(list(of_image))) for of_image in zip(*runs)]

    def _propose(self, images: Tensor, scale: float) -> list[InstanceData]:
        """Proposals found at one scale, at the size of the images."""
        size = images.shape[-2:]
        if scale != 1:
            scaled_size = [max(1, round(side * scale)) for side in size]
            images = F.interpolate(images, scaled_size, mode="bilinear", antialias=scale < 1)
        maps = self.maps(images)
        foreground = maps[:, 0].sigmoid()
        groups = group_votes(foreground, maps[:, 1:] * VOTE_UNIT, **self.grouping)
        results = []
        for labels, scores in groups:
            labels = F.interpolate(labels[None, None].float(), size, mode="nearest-exact")[0, 0].long()
            masks = labels == torch.arange(len(scores), device=labels.device)[:, None, None]
            found = masks.flatten(1).any(1)
            masks = masks[found]
            results.append(InstanceData(bboxes=masks_to_boxes(masks), scores=scores[found], masks=masks))
        return results

    def _merge(self, proposals: InstanceData) -> InstanceData:
        keep = nms(proposals.bboxes, proposals.scores, self.nms_threshold)
        return proposals[keep[: self.grouping["max_instances"]]]

    def loss(self, images: Tensor, data_samples: Sequence) -> dict[str, Tensor]:
        """Losses of a batch: foreground cross-entropy and Dice, and L1 of the votes inside objects.

        Args:
            images: (B,3,H,W), normalised.
            data_samples: ``gt_instances`` with ``bboxes`` and ``masks``; pixels of ``ignored_instances`` do not count.
        """
        maps = self.maps(images)
        targets = [_targets(sample, maps.shape[-2:], maps.device) for sample in data_samples]
        foreground, offsets, valid = (torch.stack(items) for items in zip(*targets))
        entropy = F.binary_cross_entropy_with_logits(maps[:, 0], foreground, reduction="none") * valid
        probability = maps[:, 0].sigmoid() * valid
        overlap = 2 * (probability * foreground).sum((1, 2)) + 1
        dice = 1 - overlap / (probability.sum((1, 2)) + foreground.sum((1, 2)) + 1)
        distance = (maps[:, 1:] - offsets).abs().mean(1) * foreground
        return dict(
            loss_foreground=entropy.mean(),
            loss_dice=0.5 * dice.mean(),
            loss_votes=self.vote_weight * distance.sum() / foreground.sum().clamp(min=1),
        )


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Tight boxes (N,4) xyxy in pixels, with exclusive ends, of non-empty masks (N,H,W)."""
    columns, rows = masks.any(1).float(), masks.any(2).float()
    first = columns.argmax(1), rows.argmax(1)
    last = columns.shape[1] - columns.flip(1).argmax(1), rows.shape[1] - rows.flip(1).argmax(1)
    return torch.stack([*first, *last], 1).float()


def _targets(sample, grid: tuple[int, int], device) -> tuple[Tensor, Tensor, Tensor]:
    """Foreground (H,W), offsets to the box centre (2,H,W) in units of 24 pixels, and which pixels count (H,W)."""
    masks = _pixel_masks(sample.gt_instances, grid, device)
    ignored = _pixel_masks(sample.ignored_instances, grid, device) if "ignored_instances" in sample else masks[:0]
    foreground = masks.any(0)
    offsets = torch.zeros(2, *grid, device=device)
    if len(masks):
        boxes = get_box_tensor(sample.gt_instances.bboxes).to(device)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        y, x = torch.meshgrid(*(torch.arange(side, device=device) for side in grid), indexing="ij")
        owner = masks.int().argmax(0)
        offsets = (centres[owner].permute(2, 0, 1) - torch.stack([x, y])) / VOTE_UNIT * foreground
    return foreground.float(), offsets, (~ignored.any(0) | foreground).float()


def _pixel_masks(instances: InstanceData, grid: tuple[int, int], device) -> Tensor:
    """(N,H,W) bool: the instances' masks cut to the grid, zero beyond the masks' own size."""
    masks = instances.masks
    if hasattr(masks, "to_tensor"):  # mmdet's BitmapMasks, PolygonMasks
        masks = masks.to_tensor(torch.bool, device)
    masks = torch.as_tensor(masks, device=device).bool()[:, : grid[0], : grid[1]]
    return F.pad(masks, (0, grid[1] - masks.shape[2], 0, grid[0] - masks.shape[1]))


def _read_weights(pretrained: str) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    path = ASSETS / pretrained / "model.safetensors"
    path = path if path.is_file() else Path(pretrained)
    if not path.is_file():
        raise FileNotFoundError(
            f"pretrained is the embedded model 'scenes_proposals' or a .safetensors file, got {pretrained!r}"
        )
    return load_file(path)
