"""Painting results over pictures: tinted label maps, boxes, masks, heat maps, legends and sheets of several."""

from ovdense.visualization.canvas import LegendEntry, add_legend
from ovdense.visualization.detection import draw_detections
from ovdense.visualization.panoptic import draw_panoptic
from ovdense.visualization.segmentation import class_shares, draw_segmentation, format_share
from ovdense.visualization.sheet import contact_sheet, draw_heat_map

__all__ = [
    "LegendEntry",
    "add_legend",
    "class_shares",
    "contact_sheet",
    "draw_detections",
    "draw_heat_map",
    "draw_panoptic",
    "draw_segmentation",
    "format_share",
]
