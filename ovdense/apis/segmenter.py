"""Pictures in, label maps out."""

from __future__ import annotations

import numpy as np
import torch

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

    @torch.no_grad()
    def scores(self) -> np.ndarray:
        """(K, H, W) float32: what the classes are chosen by, for the picture that was set and the current words.

        Cosines times the config's ``logit_scale``, or probabilities where the head gives these. All classes at the
        picture's size: mind the memory.
        """
        if self._encoded is None or self.vocabulary is None:
            raise ValueError("no picture or no words yet: call set_image(...) and set_vocabulary([...]) first")
        return self.model.decode(self._encoded, keep_logits=True)[0].seg_logits.data.float().cpu().numpy()

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
