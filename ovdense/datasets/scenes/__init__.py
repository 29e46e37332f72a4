"""The scenes benchmark: a generator of drawn scenes with exact labels, and datasets over it."""

from ovdense.datasets.scenes.caption_dataset import ScenesCaptionDataset
from ovdense.datasets.scenes.demo import demo_scene
from ovdense.datasets.scenes.det_dataset import ScenesDetDataset
from ovdense.datasets.scenes.fixed import FixedScenes, fixed_names, load_fixed_scenes
from ovdense.datasets.scenes.generator import Scene, SceneGenerator, SceneObject
from ovdense.datasets.scenes.objectness_dataset import ScenesObjectnessDataset
from ovdense.datasets.scenes.panoptic_dataset import ScenesPanopticDataset
from ovdense.datasets.scenes.phrase_dataset import ScenesPhraseDataset
from ovdense.datasets.scenes.seg_dataset import ScenesSegDataset

__all__ = [
    "FixedScenes",
    "Scene",
    "SceneGenerator",
    "SceneObject",
    "ScenesCaptionDataset",
    "ScenesDetDataset",
    "ScenesObjectnessDataset",
    "ScenesPanopticDataset",
    "ScenesPhraseDataset",
    "ScenesSegDataset",
    "demo_scene",
    "fixed_names",
    "load_fixed_scenes",
]
