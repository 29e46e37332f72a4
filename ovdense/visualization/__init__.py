"""Painting results over pictures: tinted label maps, boxes, masks and legends."""

from ovdense.visualization.canvas import LegendEntry, add_legend
from ovdense.visualization.detection import draw_detections
from ovdense.visualization.segmentation import class_shares, draw_segmentation, format_share

__all__ = ["LegendEntry", "add_legend", "class_shares", "draw_detections", "draw_segmentation", "format_share"]
