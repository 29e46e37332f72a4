"""Pictures in, label maps out."""

from __future__ import annotations

from ovdense.apis.predictor import Predictor
from ovdense.apis.results import SegmentationResult


class Segmenter(Predictor):
    """Open-vocabulary segmentation.

    Example:
        >>> segmenter = Segmenter.from_pretrained("lite").set_vocabulary(["cat", "dog", "grass"])
        >>> result = segmenter.set_image("photo.jpg").predict()  # labels (H, W), .areas(), .save_mask(), .plot()
        >>> other = segmenter.set_vocabulary(["animal", "plant"]).predict()  # the picture is not encoded again
    """

    task = "segmentation"

    def _result(self, sample, path, image) -> SegmentationResult:
        vocabulary = self.vocabulary
        probability = sample.seg_prob.data[0].float().cpu().numpy() if "seg_prob" in sample else None
        return SegmentationResult(
            tuple(vocabulary.classes),
            vocabulary.palette,
            labels=sample.pred_sem_seg.data[0].cpu().numpy(),
            probability=probability,
            background_index=vocabulary.background_index,
            path=path,
            image=image,
        )
