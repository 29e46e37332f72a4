"""Plain data that the rooms hand to each other; imports torch only."""

from ovdense.structures.class_embeddings import ClassEmbeddings
from ovdense.structures.dense_features import DenseFeatures
from ovdense.structures.mask_proposals import MaskProposals
from ovdense.structures.segment_masks import SegmentMasks
from ovdense.structures.templates import parse_templates
from ovdense.structures.vocabulary import Background, Vocabulary

__all__ = [
    "Background",
    "ClassEmbeddings",
    "DenseFeatures",
    "MaskProposals",
    "SegmentMasks",
    "Vocabulary",
    "parse_templates",
]
