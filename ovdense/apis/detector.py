"""Pictures in, boxes and masks out."""

from __future__ import annotations

import numpy as np

from ovdense.apis.predictor import Predictor
from ovdense.apis.results import DetectionResult


class Detector(Predictor):
    """Open-vocabulary detection.

    Example:
        >>> detector = Detector.from_pretrained("lite").set_vocabulary(["cat", "dog"])
        >>> result = detector.set_image("photo.jpg").predict()  # boxes (N, 4), scores, labels, masks, .to_coco()
    """

    task = "detection"

    def _result(self, sample, path, image) -> DetectionResult:
        vocabulary = self.vocabulary
        found = sample.pred_instances
        order = found.scores.argsort(descending=True, stable=True).cpu().numpy()
        masks = found.masks.cpu().numpy().astype(bool)[order] if "masks" in found else None
        return DetectionResult(
            tuple(vocabulary.classes),
            vocabulary.palette,
            boxes=found.bboxes.cpu().numpy().astype(np.float32)[order],
            scores=found.scores.cpu().numpy().astype(np.float32)[order],
            labels=found.labels.cpu().numpy().astype(int)[order],
            masks=masks,
            size=tuple(sample.ori_shape),
            path=path,
            image=image,
        )
