"""Panoptic truth of a scene: one segment an object, one a texture.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ovdense.datasets.scenes.generator import IGNORE_LABEL, Scene
from ovdense.datasets.scenes.textures import STUFF


def panoptic_segments(scene: Scene, things: Container[str], stuff: Container[str]) -> tuple[np.ndarray, list[str]]:
    """Segment ids (H,W) int32 and the class of each segment; id n is the n-th class, 0 is void.

    Objects come in drawing order, then textures. Ignored objects, and classes of neither ``things`` nor ``stuff``, are
    void.
    """
    ids = np.zeros(scene.semantic.shape, np.int32)
    names = []
    for item in scene.objects:
        if item.name in things and not item.ignored:
            names.append(item.name)
            ids[scene.instances == item.instance_id] = len(names)
    for label in np.unique(scene.semantic):
        name = "" if label == IGNORE_LABEL else scene.labels[label]
        if name in STUFF and name in stuff:
            names.append(name)
            ids[scene.semantic == label] = len(names)
    return ids, names
