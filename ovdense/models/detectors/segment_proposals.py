"""Class-agnostic proposals for photographs, without training: segments of like colour, grouped by colour and meaning.

Shapes: N segments, R regions, D channels, h x w patch grid, H x W input pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.grouping import group_segments, segment_features
from ovdense.models.detectors.proposals import ProposalGenerator
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, SegmentMasks


@MODELS.register_module()
class SegmentProposals(ProposalGenerator):
    """Every node of one or more hierarchies over Felzenszwalb segments (IJCV 2004), with its mask.

    The score of a region is its share of the image: what fills more of the picture is more likely meant. With
    ``objectness_weight=1/3`` in the head a region ranks by ``similarity * sqrt(area)``.

    Args:
        side: the longer side, in pixels, at which the picture is segmented.
        scale: Felzenszwalb's preference for large segments, on colours in [0, 1].
        min_pixels: size of the smallest segment.
        sigma: Gaussian blur before segmenting, in pixels.
        weights: for each hierarchy the weights of colour, meaning, size and fill.
        min_area: smallest region, as a share of the image.
        max_area: largest region, as a share of the image.
    """

    image_mean = (0.0, 0.0, 0.0)
    image_std = (1.0, 1.0, 1.0)

    def __init__(
        self,
        *,
        side: int = 320,
        scale: float = 0.8,
        min_pixels: int = 40,
        sigma: float = 0.8,
        weights: Sequence[Sequence[float]] = ((1.0, 1.0, 1.0, 1.0),),
        min_area: float = 0.001,
        max_area: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.side, self.scale, self.min_pixels, self.sigma = side, scale, min_pixels, sigma
        self.weights = [tuple(one) for one in weights]
        self.min_area, self.max_area = min_area, max_area

    @torch.no_grad()
    def forward(self, images: Tensor, features: DenseFeatures, metainfos: Sequence[dict]) -> list[InstanceData]:
        """Proposals of RGB images (B,3,H,W) in [0, 1]."""
        results = []
        for index, meta in enumerate(metainfos):
            height, width = tuple(meta.get("img_shape", images.shape[-2:]))[:2]
            dense = _dense_of_image(features[index], (height, width))
            results.append(self._one(images[index, :, :height, :width], dense))
        return results

    def segment(self, image: Tensor) -> np.ndarray:
        """Segments of one RGB image (3,H,W) in [0, 1]: labels (H',W') 0..N-1, at the working size."""
        return self._segment(self._lab(image))

    def _one(self, image: Tensor, dense: np.ndarray) -> InstanceData:
        size = tuple(image.shape[1:])
        lab = self._lab(image)
        labels = self._segment(lab)
        features = segment_features(labels, lab, dense)
        trees = [group_segments(features, labels.size, weights) for weights in self.weights]
        # The single segments head every hierarchy: take them once.
        starts = [0] + [len(features["size"])] * (len(trees) - 1)
        members = np.concatenate([members[start:] for (members, _), start in zip(trees, starts)])
        boxes = np.concatenate([boxes[start:] for (_, boxes), start in zip(trees, starts)])
        area = members @ features["size"]
        keep = (area >= self.min_area) & (area <= self.max_area)
        keep[np.argmax(area)] |= not keep.any()
        device = image.device
        pixel = (size[0] / labels.shape[0], size[1] / labels.shape[1])
        scale = torch.tensor([pixel[1], pixel[0]] * 2, device=device)
        return InstanceData(
            bboxes=torch.from_numpy(boxes[keep]).to(device) * scale,
            scores=torch.from_numpy(area[keep]).float().to(device),
            masks=SegmentMasks(
                torch.from_numpy(labels).long().to(device), torch.from_numpy(members[keep]).to(device), pixel
            ),
        )

    def _lab(self, image: Tensor) -> np.ndarray:
        """(3,H,W) RGB in [0, 1] -> (H',W',3) CIELAB in [0, 1] at the working size."""
        import cv2

        factor = min(1.0, self.side / max(image.shape[1:]))
        size = [max(1, round(length * factor)) for length in image.shape[1:]]
        small = F.interpolate(image[None].float(), size, mode="bilinear", antialias=True)[0]
        rgb = (small.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB).astype(np.float32) / 255
        return cv2.GaussianBlur(lab, (0, 0), self.sigma) if self.sigma else lab

    def _segment(self, lab: np.ndarray) -> np.ndarray:
        """(H',W') labels 0..N-1."""
        from skimage.segmentation import felzenszwalb

        labels = felzenszwalb(lab, scale=self.scale, sigma=0, min_size=self.min_pixels, channel_axis=2)
        return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _dense_of_image(features: DenseFeatures, size: tuple[int, int]) -> np.ndarray:
    """(D, h', w') signed square roots of the dense features over the image alone, without padding cells."""
    left, top = features.padding[:2]
    stride = features.stride
    rows = slice(top // stride, max(top // stride + 1, -(-(top + size[0]) // stride)))
    columns = slice(left // stride, max(left // stride + 1, -(-(left + size[1]) // stride)))
    dense = features.dense[0, :, rows, columns].float()
    return (dense.sign() * dense.abs().sqrt()).cpu().numpy()
