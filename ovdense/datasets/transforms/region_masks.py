"""Loading region masks that were made beforehand, by SAM or any other class-agnostic segmenter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from PIL import Image

from ovdense.functional.region_vote import OVERLAPS, paint_masks
from ovdense.registry import TRANSFORMS

SUFFIXES = (".npz", ".npy", ".png", ".tif", ".json")
HOW = "docs: configs/corrclip/README.md says how masks are made"


@TRANSFORMS.register_module()
class LoadRegionMasks(BaseTransform):
    """Puts the region map of a picture, (H, W) integers of its original size, 0 for no region, into ``region_ids``.

    ``PackSegInputs`` must carry it on: ``meta_keys=(..., 'region_ids')``. Of the geometric transforms ``Resize``,
    ``RandomFlip`` and padding may stand in the pipeline; crops may not.

    One file a picture, ``folder/<name of the picture without suffix><suffix>``:

    - ``.npz`` with one array, or the array ``key``; ``.npy``: (H, W) of any integer type;
    - ``.png`` or ``.tif``: 8 or 16 bits, 32 bits in a TIFF, or three channels as COCO's panoptic maps,
      id = R + 256 G + 65536 B;
    - ``.json``: SAM's list of masks, or SA-1B's ``annotations``.

    Or all pictures in one ``ann_file`` of COCO's form, found by ``file_name``.

    Args:
        folder: of the files.
        suffix: their kind; None takes the first of ``.npz``, ``.npy``, ``.png``, ``.tif``, ``.json`` that is there.
        key: name of the array in ``.npz`` files (CorrCLIP's own: ``instance_mask``).
        ann_file: json with ``images`` and ``annotations`` whose ``segmentation`` is a polygon or RLE.
        overlap: which of several masks of a json keeps a pixel, see ``paint_masks``.
        optional: leave pictures without masks as they are; the segmentor's ``regions`` can fill them in.

    Raises:
        FileNotFoundError: no masks for a picture.
        ValueError: masks of another size than the picture, or no region map at all.
    """

    def __init__(
        self,
        *,
        folder: str | None = None,
        suffix: str | None = None,
        key: str | None = None,
        ann_file: str | None = None,
        overlap: str = "largest",
        optional: bool = False,
    ) -> None:
        if (folder is None) == (ann_file is None):
            raise ValueError(f"LoadRegionMasks takes either folder or ann_file, got {folder!r} and {ann_file!r}")
        if suffix is not None and suffix not in SUFFIXES:
            raise ValueError(f"suffix must be one of {SUFFIXES} or None, got {suffix!r}")
        if overlap not in OVERLAPS:
            raise ValueError(f"overlap must be one of {OVERLAPS}, got {overlap!r}")
        self.folder, self.ann_file = folder, ann_file
        self.suffixes = SUFFIXES if suffix is None else (suffix,)
        self.key, self.overlap, self.optional = key, overlap, optional
        self._by_name: dict[str, list] | None = None

    def transform(self, results: dict) -> dict:
        size = tuple(results["ori_shape"])[:2]
        name = results.get("img_path")
        if name is None and not self.optional:
            raise ValueError(
                "region masks are found by the picture's file name, but this picture came as an array: give its path, "
                "put region_ids into the results yourself, or set optional=True"
            )
        found = None if name is None else self._find(str(name), size)
        if found is None:
            return results
        ids, source = found
        if tuple(ids.shape) != size:
            raise ValueError(
                f"{source} holds regions of {ids.shape[0]} x {ids.shape[1]} pixels, but {name} has {size[0]} x "
                f"{size[1]}: make the masks at the picture's own size"
            )
        if ids.size and ids.min() < 0:
            raise ValueError(f"{source}: region ids are 0 (no region) or more, got {ids.min()}")
        results["region_ids"] = ids.astype(np.int32 if not ids.size or ids.max() < 2**31 else np.int64)
        return results

    def _find(self, name: str, size: tuple[int, int]) -> tuple[np.ndarray, str] | None:
        """The region map and where it came from; None where there is none and none is needed."""
        if self.ann_file is not None:
            masks = self._annotations().get(name, self._annotations().get(Path(name).name))
            if masks is not None:
                return self._paint(masks, size, self.ann_file), self.ann_file
            looked = f"{self.ann_file} has no image of that file_name"
        else:
            paths = [Path(self.folder) / f"{Path(name).stem}{suffix}" for suffix in self.suffixes]
            for path in paths:
                if path.is_file():
                    return self._read(path, size), str(path)
            looked = f"looked for {', '.join(map(str, paths))}"
        if self.optional:
            return None
        raise FileNotFoundError(f"no region masks for {name}: {looked}; {HOW}")

    def _read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """The region map of one file, (H,W) integers."""
        if path.suffix == ".json":
            document = _read_json(path)
            masks = document.get("annotations") if isinstance(document, dict) else document
            if not isinstance(masks, list):
                raise ValueError(f"{path} must be a list of masks or hold 'annotations', as SAM's and SA-1B's files do")
            return self._paint(masks, size, str(path))
        if path.suffix in (".npz", ".npy"):
            ids = self._read_array(path)
        else:
            with Image.open(path) as image:
                ids = np.asarray(image)
            if ids.ndim == 3 and ids.shape[2] == 3:
                ids = ids.astype(np.int64) @ np.array([1, 256, 65536])
        if ids.ndim != 2 or ids.dtype.kind not in "iub":
            raise ValueError(f"{path} must hold a map (H, W) of integer region ids, got {ids.dtype} {ids.shape}")
        return ids.astype(np.int64)

    def _read_array(self, path: Path) -> np.ndarray:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            return file
        with file:
            names = file.files if self.key is None else [self.key]
            if len(names) != 1 or names[0] not in file.files:
                raise ValueError(f"{path} has the arrays {file.files}: name the region map by key, got {self.key!r}")
            return file[names[0]]

    def _annotations(self) -> dict[str, list]:
        """Masks by file name, read once."""
        if self._by_name is None:
            document = _read_json(Path(self.ann_file))
            if not isinstance(document, dict) or not {"images", "annotations"} <= set(document):
                raise ValueError(f"{self.ann_file} must hold COCO's 'images' and 'annotations'")
            names = {image["id"]: image["file_name"] for image in document["images"]}
            self._by_name = {name: [] for name in names.values()}
            for annotation in document["annotations"]:
                self._by_name[names[annotation["image_id"]]].append(annotation)
        return self._by_name

    def _paint(self, masks: Sequence[dict], size: tuple[int, int], source: str) -> np.ndarray:
        from pycocotools import mask as coco

        runs = [_run_lengths(mask.get("segmentation"), size, f"{source}, mask {n}") for n, mask in enumerate(masks)]
        areas = torch.tensor([float(coco.area(one)) for one in runs])
        return paint_masks((torch.from_numpy(coco.decode(one)) for one in runs), size, areas, self.overlap).numpy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(folder={self.folder!r}, ann_file={self.ann_file!r}, optional={self.optional})"


def _run_lengths(segmentation, size: tuple[int, int], where: str) -> dict:
    """pycocotools' compressed run lengths of a polygon, of run lengths of either kind, or of a list of rows."""
    from pycocotools import mask as coco

    if isinstance(segmentation, list) and segmentation and not isinstance(segmentation[0][0], (list, bool)):
        return coco.merge(coco.frPyObjects(segmentation, *size))
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= set(segmentation):
        raise ValueError(f"{where}: segmentation must be polygons or run lengths (size, counts), as COCO writes them")
    if tuple(segmentation["size"]) != tuple(size):
        raise ValueError(f"{where} is {tuple(segmentation['size'])} pixels, but the picture is {tuple(size)}")
    return coco.frPyObjects(segmentation, *size) if isinstance(segmentation["counts"], list) else segmentation


def _read_json(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"no such file of region masks: {path}; {HOW}") from None
    except ValueError as error:
        raise ValueError(f"cannot read region masks from {path}: {error}") from None
