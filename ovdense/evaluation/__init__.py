"""Metrics beyond those of mmseg and mmdet, and what chance reaches."""

from ovdense.evaluation.chance import chance_ap50, chance_miou, chance_pq
from ovdense.evaluation.foreground_heat import ForegroundHeatMetric
from ovdense.evaluation.grouped_coco import GroupedCocoMetric
from ovdense.evaluation.grouped_iou import GroupedIoUMetric, mean_iou
from ovdense.evaluation.heat_maps import HeatMapMetric
from ovdense.evaluation.open_vocab_ap import OpenVocabCocoMetric, OpenVocabLVISMetric
from ovdense.evaluation.panoptic_quality import PanopticQuality
from ovdense.evaluation.phrase_masks import PhraseMaskMetric
from ovdense.evaluation.protocol import Protocol, describe_protocol
from ovdense.evaluation.seen_unseen_iou import SeenUnseenIoUMetric, harmonic_mean

__all__ = [
    "ForegroundHeatMetric",
    "GroupedCocoMetric",
    "GroupedIoUMetric",
    "HeatMapMetric",
    "OpenVocabCocoMetric",
    "OpenVocabLVISMetric",
    "PanopticQuality",
    "PhraseMaskMetric",
    "Protocol",
    "SeenUnseenIoUMetric",
    "chance_ap50",
    "chance_miou",
    "chance_pq",
    "describe_protocol",
    "harmonic_mean",
    "mean_iou",
]
