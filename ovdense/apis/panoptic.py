"""Pictures in, panoptic segments out."""

from __future__ import annotations

from ovdense.apis.predictor import Predictor
from ovdense.apis.results import PanopticResult
from ovdense.functional.panoptic import panoptic_ids
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
        ids, segments = panoptic_ids(sample.pred_panoptic_seg.sem_seg[0].cpu(), vocabulary.num_classes)
        return PanopticResult(
            tuple(vocabulary.classes),
            vocabulary.palette,
            ids=ids.numpy(),
            segments=segments,
            path=path,
            image=image,
        )
