"""Registries of ovdense: children of MMEngine's, siblings of mmseg's and mmdet's.

A config of scope ``ovdense`` names our modules plainly and those of the other libraries as ``mmseg.X`` and ``mmdet.X``.
"""

import mmdet.registry  # noqa: F401  (puts the sibling scope in place, so that "mmdet.X" resolves)
import mmengine.registry as mmengine_registry
import mmseg.registry  # noqa: F401
from mmengine.registry import Registry

DATASETS = Registry("dataset", parent=mmengine_registry.DATASETS, locations=["ovdense.datasets"])
TRANSFORMS = Registry("transform", parent=mmengine_registry.TRANSFORMS, locations=["ovdense.datasets.transforms"])
MODELS = Registry("model", parent=mmengine_registry.MODELS, locations=["ovdense.models"])
METRICS = Registry("metric", parent=mmengine_registry.METRICS, locations=["ovdense.evaluation"])
HOOKS = Registry("hook", parent=mmengine_registry.HOOKS, locations=["ovdense.engine"])
LOOPS = Registry("loop", parent=mmengine_registry.LOOPS, locations=["ovdense.engine"])
OPTIMIZERS = Registry("optimizer", parent=mmengine_registry.OPTIMIZERS, locations=["ovdense.engine"])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor",
    parent=mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS,
    locations=["ovdense.engine"],
)
VISUALIZERS = Registry("visualizer", parent=mmengine_registry.VISUALIZERS, locations=["ovdense.visualization"])

__all__ = [
    "DATASETS",
    "HOOKS",
    "LOOPS",
    "METRICS",
    "MODELS",
    "OPTIMIZERS",
    "OPTIM_WRAPPER_CONSTRUCTORS",
    "TRANSFORMS",
    "VISUALIZERS",
]
