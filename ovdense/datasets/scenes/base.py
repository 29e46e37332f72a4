"""What the semantic and the detection dataset of generated scenes share: classes, splits, the generator."""

from __future__ import annotations

from collections.abc import Sequence

from ovdense.datasets.scenes.generator import Scene, SceneGenerator
from ovdense.datasets.scenes.sprites import TRAIN_STYLES
from ovdense.datasets.scenes.textures import STUFF
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import Vocabulary

# Splits share neither scenes nor textures.
SPLITS = {
    "train": dict(seed=0, texture_seed=1, texture_variants=24),
    "val": dict(seed=1234, texture_seed=2, texture_variants=6),
    "test": dict(seed=4321, texture_seed=3, texture_variants=6),
}


class GeneratedScenes:
    """Mixin for mm datasets: ``num_scenes`` scenes, drawn when they are asked for; nothing is read from disk.

    Args:
        vocabulary: the classes, as ``load_vocabulary`` takes them.
        objects: what may appear in the pictures: names of objects or of groups of the vocabulary; default all objects
            of the vocabulary.
        split: ``train``, ``val`` or ``test``: seeds of scenes and textures.
        num_scenes: length of the dataset.
        first_scene: index of the first scene of the split.
        generator: further options of ``SceneGenerator``; ``styles`` are ``TRAIN_STYLES`` if not given.
    """

    def _set_up_scenes(self, vocabulary, objects, split: str, num_scenes: int, first_scene: int, generator) -> None:
        if split not in SPLITS:
            raise ValueError(f"scenes have the splits {', '.join(SPLITS)}; got {split!r}")
        if num_scenes < 1:
            raise ValueError(f"a dataset of scenes needs at least one scene, got num_scenes={num_scenes}")
        self.vocabulary = load_vocabulary(vocabulary)
        self.split, self.num_scenes, self.first_scene = split, num_scenes, first_scene
        names = select_objects(self.vocabulary, objects)
        self._generator_options = {"classes": names, "styles": TRAIN_STYLES, **SPLITS[split], **(generator or {})}
        self._generator: SceneGenerator | None = None

    @property
    def generator(self) -> SceneGenerator:
        if self._generator is None:
            self._generator = SceneGenerator(**self._generator_options)
        return self._generator

    def __getstate__(self) -> dict:
        """Data loader workers make their own generator."""
        return {**self.__dict__, "_generator": None}

    def load_data_list(self) -> list[dict]:
        """One entry a scene; the picture and its labels are added by ``get_data_info``."""
        indices = range(self.first_scene, self.first_scene + self.num_scenes)
        name = f"scene-{self.split}-{{:06d}}.png"
        return [dict(img_id=index, scene_index=index, img_path=name.format(index)) for index in indices]

    def get_data_info(self, idx: int) -> dict:
        """The entry of a scene with its picture as BGR array ``img`` and its labels."""
        info = super().get_data_info(idx)
        scene = self.generator[info["scene_index"]]
        height, width = scene.image.shape[:2]
        return {**info, "img": scene.image[..., ::-1].copy(), "height": height, "width": width, **self._labels(scene)}

    def _labels(self, scene: Scene) -> dict:
        raise NotImplementedError


def select_objects(vocabulary: Vocabulary, wanted: str | Sequence[str] | None) -> list[str]:
    """Names of the drawable objects that ``wanted`` (names of objects or of groups; None for all) stands for."""
    drawable = [name for name in vocabulary.classes if name not in STUFF]
    if wanted is None:
        return drawable
    names = []
    for item in [wanted] if isinstance(wanted, str) else wanted:
        in_group = item in vocabulary.groups
        names += [vocabulary.classes[index] for index in vocabulary.group(item)] if in_group else [item]
    unknown = [name for name in names if name not in vocabulary.classes]
    if unknown:
        raise ValueError(f"no class or group of the vocabulary ({', '.join(vocabulary.groups)}) has the name {unknown}")
    return [name for name in dict.fromkeys(names) if name in drawable]
