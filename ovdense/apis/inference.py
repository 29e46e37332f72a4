"""Functions in the manner of mmseg and mmdet, for any config of ovdense."""

from __future__ import annotations

from ovdense.apis.configs import task_of
from ovdense.apis.detector import Detector
from ovdense.apis.panoptic import PanopticSegmenter
from ovdense.apis.predictor import Predictor, init_model
from ovdense.apis.segmenter import Segmenter


def inference_model(model, images, classes=None):
    """Data samples of one picture or of a list of them, through the test pipeline of ``model.cfg``.

    Args:
        model: from :func:`init_model`.
        images: path, bytes, BGR array or PIL image, or a list of these.
        classes: words to look for; None keeps the model's own.

    Returns:
        A SegDataSample (``pred_sem_seg``) or DetDataSample (``pred_instances``), or a list of them.

    Raises:
        ImageError: a picture cannot be read.
    """
    predictor = as_predictor(model)
    if classes is not None:
        predictor.set_vocabulary(classes)
    if isinstance(images, (list, tuple)):
        return [predictor.data_sample(image) for image in images]
    return predictor.data_sample(images)


def as_predictor(model) -> Predictor:
    """A Segmenter, Detector or PanopticSegmenter around a model that :func:`init_model` made."""
    kinds = {kind.task: kind for kind in (Segmenter, Detector, PanopticSegmenter)}
    kind = kinds[task_of(model.cfg)]
    return kind(model, model.cfg)


__all__ = ["as_predictor", "inference_model", "init_model"]
