"""Pictures with phrases and their masks: PhraseCut, and folders of masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from mmseg.datasets import BaseSegDataset

from ovdense.datasets.transforms import IMAGE_SUFFIXES
from ovdense.registry import DATASETS

# Pictures whose size differs from the one that their annotations state (list of the official CLIPSeg code).
WRONG_SIZE = {
    *(150417, 285665, 498246, 61564, 285743, 498269, 498010, 150516, 150344, 286093, 61530, 150333, 286065, 285814),
    *(498187, 285761, 498042),
}


class PhraseDataset(BaseSegDataset):
    """One entry for each phrase of a picture: ``img_path``, ``phrase``, ``phrase_class`` and where its mask comes from.

    A pipeline loads the mask with ``LoadPhraseMask`` and ends with ``PackPhraseInputs``.

    Args:
        negative_prob: share of entries whose phrase is replaced by one of another picture, in training.
        prompt_prob: share of entries that bring another picture of the same phrase (``LoadPromptImage``), in training.
        kwargs: of mmseg's ``BaseSegDataset``.
    """

    METAINFO = dict(classes=("background", "phrase"), palette=[[0, 0, 0], [255, 60, 60]])

    def __init__(self, *, negative_prob: float = 0.0, prompt_prob: float = 0.0, **kwargs) -> None:
        self.negative_prob, self.prompt_prob = negative_prob, prompt_prob
        self._by_phrase: dict[str, list[int]] | None = None
        super().__init__(**kwargs)

    @property
    def by_phrase(self) -> dict[str, list[int]]:
        """Indices of the entries of each phrase."""
        if self._by_phrase is None:
            self._by_phrase = {}
            for index in range(len(self)):
                self._by_phrase.setdefault(super().get_data_info(index)["phrase"], []).append(index)
        return self._by_phrase

    def get_data_info(self, idx: int) -> dict:
        info = super().get_data_info(idx)
        if self.test_mode or not (self.negative_prob or self.prompt_prob):
            return info
        phrase = info["phrase"]
        if np.random.rand() < self.negative_prob and len(self.by_phrase) > 1:
            other = phrase
            while other == phrase:
                other = list(self.by_phrase)[np.random.randint(len(self.by_phrase))]
            info, phrase = {**info, "phrase": other, "negative": True}, other
        others = [index for index in self.by_phrase[phrase] if index != idx]
        if others and np.random.rand() < self.prompt_prob:
            info["prompt"] = super().get_data_info(others[np.random.randint(len(others))])
        return info

    def _number_classes(self, entries: list[dict]) -> list[dict]:
        numbers = {phrase: number for number, phrase in enumerate(sorted({entry["phrase"] for entry in entries}))}
        return [dict(entry, phrase_class=numbers[entry["phrase"]], seg_fields=[]) for entry in entries]


@DATASETS.register_module()
class PhraseCutDataset(PhraseDataset):
    """VGPhraseCut_v0: ``refer_<split>.json`` and ``images/<image_id>.jpg`` in ``data_root``.

    Args:
        split: ``train``, ``val``, ``test`` or ``miniv``.
        min_area: smallest share of the picture that the boxes of a phrase cover.
        kwargs: of ``PhraseDataset``.
    """

    def __init__(self, *, data_root: str, split: str = "train", min_area: float = 0.0, **kwargs) -> None:
        self.split, self.min_area = split, min_area
        super().__init__(data_root=data_root, data_prefix=dict(img_path="images"), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a phrase.

        Raises:
            FileNotFoundError: no annotations of that split.
            ValueError: annotations of another layout.
        """
        path = Path(self.data_root) / f"refer_{self.split}.json"
        if not path.is_file():
            raise FileNotFoundError(f"PhraseCut's folder holds refer_<split>.json and images/, no file {path}")
        sizes = self._sizes()
        entries = []
        for task in json.loads(path.read_text(encoding="utf-8")):
            missing = [key for key in ("image_id", "phrase", "Polygons") if key not in task]
            if missing:
                raise ValueError(f"{path}: an entry of PhraseCut has image_id, phrase and Polygons, missing {missing}")
            if task["image_id"] in WRONG_SIZE or self._too_small(task, sizes):
                continue
            rings = [ring for instance in task["Polygons"] for ring in instance]
            image = Path(self.data_prefix["img_path"]) / f"{task['image_id']}.jpg"
            entries.append(dict(img_path=str(image), phrase=task["phrase"], polygons=rings))
        if not entries:
            raise ValueError(f"{path} holds no phrase that covers more than min_area={self.min_area} of its picture")
        return self._number_classes(entries)

    def _sizes(self) -> dict[int, int]:
        """Pixels of each picture, needed for ``min_area`` only."""
        if not self.min_area:
            return {}
        path = Path(self.data_root) / "image_data_split.json"
        if not path.is_file():
            raise FileNotFoundError(f"min_area needs PhraseCut's image_data_split.json, no file {path}")
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {row["image_id"]: row["width"] * row["height"] for row in rows}

    def _too_small(self, task: dict, sizes: dict[int, int]) -> bool:
        if not self.min_area:
            return False
        return sum(box[2] * box[3] for box in task["instance_boxes"]) <= self.min_area * sizes[task["image_id"]]


@DATASETS.register_module()
class PhraseFolderDataset(PhraseDataset):
    """Masks of your own: ``images/NAME.jpg`` and ``masks/PHRASE/NAME.png``, not 0 where the phrase is.

    The name of a folder of masks is the phrase, underscores standing for spaces; a picture may have any number of them.

    Args:
        data_prefix: ``img_path`` and ``seg_map_path``, relative to ``data_root``.
        kwargs: of ``PhraseDataset``.
    """

    def __init__(self, *, data_root: str, data_prefix: dict | None = None, **kwargs) -> None:
        prefix = data_prefix or dict(img_path="images", seg_map_path="masks")
        super().__init__(data_root=data_root, data_prefix=prefix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a mask.

        Raises:
            FileNotFoundError: a folder is missing or empty, or a mask has no picture.
        """
        images, masks = (Path(self.data_prefix[key]) for key in ("img_path", "seg_map_path"))
        for folder in (images, masks):
            if not folder.is_dir():
                raise FileNotFoundError(f"PhraseFolderDataset needs images/ and masks/PHRASE/, no folder {folder}")
        pictures = {path.stem: path for path in sorted(images.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES}
        entries = []
        for path in sorted(masks.glob("*/*.png")):
            if path.stem not in pictures:
                raise FileNotFoundError(f"mask {path} has no picture of its name in {images}")
            phrase = path.parent.name.replace("_", " ")
            entries.append(dict(img_path=str(pictures[path.stem]), phrase=phrase, mask_path=str(path)))
        if not entries:
            raise FileNotFoundError(f"{masks} holds no masks: each lies in a folder named by its phrase, as a .png")
        return self._number_classes(entries)
