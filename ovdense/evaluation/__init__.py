"""Metrics beyond those of mmseg and mmdet, and what chance reaches."""

from ovdense.evaluation.chance import chance_ap50, chance_miou, chance_pq
from ovdense.evaluation.grouped_coco import GroupedCocoMetric
from ovdense.evaluation.grouped_iou import GroupedIoUMetric, mean_iou
from ovdense.evaluation.open_vocab_ap import OpenVocabCocoMetric, OpenVocabLVISMetric
from ovdense.evaluation.panoptic_quality import PanopticQuality
from ovdense.evaluation.phrase_masks import PhraseMaskMetric
from ovdense.evaluation.protocol import Protocol, describe_protocol

__all__ = [
    "GroupedCocoMetric",
    "GroupedIoUMetric",
    "OpenVocabCocoMetric",
    "OpenVocabLVISMetric",
    "PanopticQuality",
    "PhraseMaskMetric",
    "Protocol",
    "chance_ap50",
    "chance_miou",
    "chance_pq",
    "describe_protocol",
    "mean_iou",
]
