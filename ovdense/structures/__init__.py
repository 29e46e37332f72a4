"""Plain data that the rooms hand to each other; imports torch only."""

from ovdense.structures.class_embeddings import ClassEmbeddings
from ovdense.structures.dense_features import DenseFeatures
from ovdense.structures.segment_masks import SegmentMasks
from ovdense.structures.templates import resolve_templates, template_names
from ovdense.structures.vocabulary import Background, Vocabulary
from ovdense.structures.vocabulary_sources import vocabulary_names

__all__ = [
    "Background",
    "ClassEmbeddings",
    "DenseFeatures",
    "SegmentMasks",
    "Vocabulary",
    "resolve_templates",
    "template_names",
    "vocabulary_names",
]
