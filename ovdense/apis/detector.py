"""Pictures in, boxes and masks out."""

from __future__ import annotations

import numpy as np

from ovdense.apis.predictor import Predictor
from ovdense.apis.proposals import GivenProposals
from ovdense.apis.results import DetectionResult


class Detector(Predictor):
    """Open-vocabulary detection.

    Example:
        >>> detector = Detector.from_pretrained("lite").set_vocabulary(["cat", "dog"])
        >>> result = detector.set_image("photo.jpg").predict()  # boxes (N, 4), scores, labels, masks, .to_coco()
    """

    task = "detection"
    _proposals: GivenProposals | None = None

    def set_proposals(self, proposals):
        """Boxes to name instead of the model's own proposals, for the pictures that follow.

        Args:
            proposals: (R, 4) xyxy in pixels, a dict of file name -> boxes, or a json file of one of them or of COCO;
                None goes back to the model's own.
        """
        self._proposals = None if proposals is None else GivenProposals(proposals)
        return self

    def _prepare(self, image: np.ndarray, path: str | None) -> dict:
        data = super()._prepare(image, path)
        if self._proposals is not None:
            data["data_samples"].set_metainfo(dict(proposals=self._proposals(path)))
        return data

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
