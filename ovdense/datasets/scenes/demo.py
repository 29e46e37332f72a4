"""The scene of ``ovdense demo``."""

from __future__ import annotations

from ovdense.datasets.scenes.generator import Scene, SceneGenerator
from ovdense.models.vocabulary_files import load_vocabulary

DEMO_INDEX = 1497


def demo_scene(size: int | tuple[int, int] = (288, 384)) -> Scene:
    """A pig, a tent and a cookie over foliage, under a sky, at any size in pixels.

    Picked by hand among scenes with unseen textures: the embedded models label it well, which is not the average
    (their model cards have the averages). Other proportions than 3 : 4 move the objects.
    """
    vocabulary = load_vocabulary("scenes-143")
    base = [vocabulary.classes[index] for index in vocabulary.group("base")]
    options = dict(num_objects=(3, 4), seed=4321, texture_seed=3, texture_variants=6)
    return SceneGenerator(classes=base, size=size, **options)[DEMO_INDEX]
