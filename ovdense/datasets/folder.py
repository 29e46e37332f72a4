"""Pictures in one folder, label maps of the same names in another: the layout of most segmentation data."""

from __future__ import annotations

from pathlib import Path

from mmseg.datasets import BaseSegDataset

from ovdense.datasets.transforms import IMAGE_SUFFIXES
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


@DATASETS.register_module()
class FolderSegDataset(BaseSegDataset):
    """Pictures of any format in ``img_path``, label maps ``<same name>.png`` in ``seg_map_path``; subfolders are kept.

    Args:
        classes: names in the order of the label numbers: what ``load_vocabulary`` takes (a list, a .txt file, ...).
            None for datasets that bring their names (METAINFO).
        data_root: folder that ``data_prefix`` is relative to.
        data_prefix: ``img_path`` and ``seg_map_path``; without ``seg_map_path`` the pictures have no labels.
        seg_map_suffix: what follows the picture's stem in the name of its label map.
        kwargs: of mmseg's ``BaseSegDataset``.
    """

    def __init__(
        self,
        *,
        classes=None,
        data_root: str | None = None,
        data_prefix: dict | None = None,
        seg_map_suffix: str = ".png",
        metainfo: dict | None = None,
        **kwargs,
    ) -> None:
        if classes is not None:
            vocabulary = load_vocabulary(classes)
            metainfo = dict(metainfo or {}, classes=vocabulary.classes, palette=vocabulary.palette)
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix or dict(img_path="images", seg_map_path="labels"),
            seg_map_suffix=seg_map_suffix,
            metainfo=metainfo,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry a picture, by name.

        Raises:
            FileNotFoundError: a folder or a label map is missing.
        """
        images = self._folder("img_path")
        labels = self._folder("seg_map_path")
        files = sorted(path for path in images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise FileNotFoundError(f"{images} holds no pictures ({', '.join(IMAGE_SUFFIXES)})")
        entries, missing = [], []
        for path in files:
            entry = dict(img_path=str(path), label_map=self.label_map, reduce_zero_label=self.reduce_zero_label)
            if labels is not None:
                label = labels / path.relative_to(images).with_suffix("")
                label = label.with_name(label.name + self.seg_map_suffix)
                entry["seg_map_path"] = str(label)
                missing += [] if label.is_file() else [str(label)]
            entries.append(dict(entry, seg_fields=[]))
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(files)} pictures in {images} have no label map: each needs one of its name "
                f"in {labels}, got none at {', '.join(missing[:3])}"
            )
        return entries

    def _folder(self, key: str) -> Path | None:
        folder = self.data_prefix.get(key)
        if not folder and key != "img_path":
            return None
        if not Path(folder or "").is_dir():
            raise FileNotFoundError(self.missing_message(str(folder)))
        return Path(folder)

    def missing_message(self, folder: str) -> str:
        """What to say when a folder is not there."""
        return (
            f"{type(self).__name__} finds no folder {folder}: set data_root and data_prefix=dict(img_path=..., "
            f"seg_map_path=...) of the dataset (data_root is {self.data_root})"
        )
