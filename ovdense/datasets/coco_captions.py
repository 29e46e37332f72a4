"""Pictures with captions, in the format of COCO Captions."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mmengine.dataset import BaseDataset

from ovdense.registry import DATASETS


@DATASETS.register_module()
class CocoCaptionsDataset(BaseDataset):
    """One entry a caption: ``img_path``, ``img_id`` and ``caption``; for the pipeline to load and pack.

    The annotation file is a json with ``images`` (``id``, ``file_name``) and ``annotations`` (``image_id``,
    ``caption``). ``PackSegInputs`` hands the caption on where ``caption`` is among its ``meta_keys``.

    Args:
        ann_file: the json, absolute or under ``data_root``.
        data_root: folder that ``ann_file`` and ``data_prefix`` are relative to.
        data_prefix: ``img_path``, the folder of the pictures.
        kwargs: of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(dataset_type="captions")

    def __init__(self, *, ann_file: str, data_root: str = "", data_prefix: dict | None = None, **kwargs) -> None:
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=data_prefix or dict(img_path="images"), **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """The entries in the order of the file; captions of white space alone are left out.

        Raises:
            FileNotFoundError: the file, the folder or a picture is missing.
            ValueError: another format, or captions of pictures that are not listed.
        """
        folder = Path(self.data_prefix["img_path"])
        facts = self._read()
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder of pictures {folder}: set data_root and data_prefix=dict(img_path=...)")
        files = {entry["id"]: entry["file_name"] for entry in facts["images"]}
        strays = sorted({str(entry["image_id"]) for entry in facts["annotations"] if entry["image_id"] not in files})
        if strays:
            raise ValueError(
                f"{self.ann_file} has captions of {len(strays)} pictures that are not among its images, got image_id "
                f"{', '.join(strays[:3])}"
            )
        captioned = dict.fromkeys(entry["image_id"] for entry in facts["annotations"])
        self._check_pictures(folder, [files[index] for index in captioned])
        entries = []
        for entry in facts["annotations"]:
            caption = " ".join(str(entry["caption"]).split())
            if caption:
                path = str(folder / files[entry["image_id"]])
                entries.append(dict(img_path=path, img_id=entry["image_id"], caption=caption))
        if not entries:
            raise ValueError(f"{self.ann_file} holds no captions, got {len(facts['annotations'])} annotations")
        return entries

    def _read(self) -> dict:
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(
                f"no caption file {path}: set ann_file (and data_root) to a json like captions_train2014.json of "
                "https://cocodataset.org"
            )
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no json file: {error}") from error
        wanted = dict(images=("id", "file_name"), annotations=("image_id", "caption"))
        for key, names in wanted.items():
            entries = facts.get(key) if isinstance(facts, dict) else None
            if not isinstance(entries, list) or any(name not in entry for entry in entries for name in names):
                raise ValueError(
                    f"{path} is not in the format of COCO Captions: {key!r} must be a list of entries with "
                    f"{' and '.join(names)}" + (" (this looks like instances)" if entries else "")
                )
        return facts

    def _check_pictures(self, folder: Path, names: list[str]) -> None:
        """One listing a folder instead of one look a picture: there are 83,000 in COCO."""
        known: dict[Path, set[str]] = {}
        missing = []
        for name in names:
            path = folder / name
            if path.parent not in known:
                known[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
            if path.name not in known[path.parent]:
                missing.append(name)
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(names)} captioned pictures are not in {folder}: get them all or leave them "
                f"out of {self.ann_file}, got none at {', '.join(missing[:3])}"
            )
