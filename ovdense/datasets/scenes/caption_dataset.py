"""Generated scenes with the set of words that are true of them, for training a CLIP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ovdense.datasets.scenes.base import SPLITS, select_objects
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.sprites import TRAIN_STYLES
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


@DATASETS.register_module()
class ScenesCaptionDataset(Dataset):
    """``num_scenes`` training scenes; an item is ``dict(inputs=(3,H,W) uint8 RGB, words=(W,) float32)``.

    ``words`` weighs the words of ``bank``: 1 for the names of what is to be seen, ``other_weight`` for synonyms and
    hypernyms of these, 0 for words that are not true of the picture. There are no places, masks or boxes.

    Args:
        bank: the words, a vocabulary as ``load_vocabulary`` takes it.
        vocabulary: the vocabulary that has the objects.
        objects: what may appear: names or groups of the vocabulary.
        num_scenes: length of the dataset.
        other_weight: weight of true words that are not names, below 1.
        generator: further options of ``SceneGenerator``; ``styles`` are ``TRAIN_STYLES`` if not given.
    """

    def __init__(
        self,
        *,
        bank="scenes-captions-600",
        vocabulary="scenes-143",
        objects: str | Sequence[str] | None = ("base", "novel"),
        num_scenes: int = 1_000_000,
        other_weight: float = 0.3,
        generator: dict | None = None,
    ) -> None:
        if not 0 <= other_weight < 1:
            raise ValueError(f"other_weight lies between 0 and 1 (exclusive), got {other_weight}")
        self.bank = load_vocabulary(bank)
        self.num_scenes, self.other_weight = num_scenes, other_weight
        names = select_objects(load_vocabulary(vocabulary), objects)
        self._options = {"classes": names, "styles": TRAIN_STYLES, **SPLITS["train"], **(generator or {})}
        self._index = {word: position for position, word in enumerate(self.bank.classes)}
        self._generator: SceneGenerator | None = None

    def __len__(self) -> int:
        return self.num_scenes

    def __getstate__(self) -> dict:
        """Data loader workers make their own generator."""
        return {**self.__dict__, "_generator": None}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if self._generator is None:
            self._generator = SceneGenerator(**self._options)
        scene = self._generator[index]
        words = torch.zeros(len(self._index))
        for weight, true in ((self.other_weight, scene.words), (1.0, scene.names)):
            unknown = [word for word in true if word not in self._index]
            if unknown:
                raise ValueError(f"the bank of words has no {unknown}: add what the scenes may show to it")
            words[[self._index[word] for word in true]] = weight
        return dict(inputs=torch.from_numpy(scene.image).permute(2, 0, 1), words=words)
