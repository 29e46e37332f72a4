"""Pictures in, panoptic segments out."""

from __future__ import annotations

import numpy as np

from ovdense.apis.predictor import Predictor
from ovdense.apis.results import PanopticResult
from ovdense.functional.panoptic import INSTANCE_OFFSET
from ovdense.models.vocabulary_files import things_and_stuff


class PanopticSegmenter(Predictor):
    """Open-vocabulary panoptic segmentation: things one by one, stuff as regions.

    Example:
        >>> segmenter = PanopticSegmenter.from_pretrained("scenes").set_vocabulary(things="dog, cat", stuff="sky")
        >>> result = segmenter.set_image("drawing.png").predict()  # ids (H, W), segments, .counts(), .plot()
    """

    task = "panoptic"

    def set_vocabulary(self, classes=None, *, things=None, stuff=None, **options):
        """Changes the words; a picture that was set stays encoded.

        Args:
            classes: a vocabulary that says which classes are things and stuff (``coco-133``, or ``groups=`` of
                ``load_vocabulary``).
            things: countable classes, in any form that ``load_vocabulary`` takes; instead of ``classes``.
            stuff: uncountable ones.
            options: those of ``load_vocabulary``.
        """
        if classes is not None and (things is not None or stuff is not None):
            raise ValueError("give either classes with the groups thing and stuff, or things and stuff; got both")
        if classes is None:
            classes = things_and_stuff(things, stuff)
        return super().set_vocabulary(classes, **options)

    def _result(self, sample, path, image) -> PanopticResult:
        vocabulary = self.vocabulary
        encoded = sample.pred_panoptic_seg.sem_seg[0].cpu().numpy().astype(np.int64)
        values, ids = np.unique(encoded, return_inverse=True)
        segments, numbers = [], np.zeros(len(values), np.int32)
        for place, value in enumerate(values.tolist()):
            instance, label = divmod(value, INSTANCE_OFFSET)
            if label < vocabulary.num_classes:
                numbers[place] = len(segments) + 1
                segments.append(dict(id=len(segments) + 1, label=label, isthing=instance > 0))
        return PanopticResult(
            tuple(vocabulary.classes),
            vocabulary.palette,
            ids=numbers[ids].reshape(encoded.shape),
            segments=segments,
            path=path,
            image=image,
        )
