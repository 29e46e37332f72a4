"""Loading transforms for mm pipelines, over :func:`read_image` instead of mmcv's decoder."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from ovdense.datasets.transforms.image_io import MAX_PIXELS, ImageError, read_image
from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module(name=["LoadImage", "LoadImageFromFile", "LoadImageFromNDArray", "InferencerLoader"])
class LoadImage(BaseTransform):
    """Puts BGR uint8 (H, W, 3) into ``img``, from ``img`` (array, bytes, PIL) if given, else from ``img_path``.

    It answers to mm's own loader names within the scope ``ovdense``, because ``MMSegInferencer``, ``DetInferencer`` and
    ``inference_model`` look for these names in a pipeline.

    Required keys: ``img_path`` or ``img``; a bare path or array is taken as well.
    Added keys: ``img``, ``img_path``, ``img_shape``, ``ori_shape``.
    """

    def __init__(
        self,
        *,
        to_float32: bool = False,
        color_type: str = "color",
        max_pixels: int = MAX_PIXELS,
        ignore_empty: bool = False,
        imdecode_backend: str | None = None,
        backend_args: dict | None = None,
    ) -> None:
        if color_type != "color":
            raise ValueError(
                f"LoadImage gives BGR colour images only: use mmengine.LoadImageFromFile, got {color_type!r}"
            )
        self.to_float32 = to_float32
        self.max_pixels = max_pixels
        self.ignore_empty = ignore_empty
        self.backend_args = backend_args
        self.imdecode_backend = imdecode_backend  # accepted for mm configs; Pillow decodes everything here

    def transform(self, results: dict | str | np.ndarray) -> dict | None:
        if not isinstance(results, dict):
            results = {"img": results} if isinstance(results, (np.ndarray, Image.Image)) else {"img_path": results}
        try:
            image = read_image(self._source(results), max_pixels=self.max_pixels)
        except ImageError:
            if self.ignore_empty:
                return None
            raise
        results.setdefault("img_path", None)
        results["img"] = image.astype(np.float32) if self.to_float32 else image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def _source(self, results: dict):
        if results.get("img") is not None:
            return results["img"]
        if self.backend_args:
            from mmengine import fileio

            return fileio.get(results["img_path"], backend_args=self.backend_args)
        return results["img_path"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(to_float32={self.to_float32}, max_pixels={self.max_pixels})"


@TRANSFORMS.register_module(name=["LoadAnnotations", "LoadLabels"])
class LoadLabels(LoadAnnotations):
    """mmseg's ``LoadAnnotations`` that also keeps the labels of a 16-bit PNG (more than 255 classes).

    8-bit maps go mmseg's way. In a 16-bit map 65535 is the ignored label and becomes the ``ignore_index`` of the
    sample, which its dataset gives, or else the one given here; it must not be the number of a class.
    """

    def __init__(self, *, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def _load_seg_map(self, results: dict) -> None:
        with Image.open(results["seg_map_path"]) as image:
            deep, shape = image.mode.startswith("I"), image.size[::-1]
            labels = np.array(image).astype(np.int64) if deep else None
        if labels is None:
            super()._load_seg_map(results)
            results["gt_seg_map"] = results["gt_seg_map"].reshape(shape)  # mmseg drops a side of length 1
            return
        results["gt_seg_map"] = self._number_table(results)[labels]
        results["seg_fields"].append("gt_seg_map")

    def _number_table(self, results: dict) -> np.ndarray:
        """(65536,) the class number of every stored value."""
        numbers = np.arange(65536, dtype=np.int32)
        if results.get("reduce_zero_label"):
            numbers -= 1
        table = numbers.copy()
        for old, new in (results.get("label_map") or {}).items():
            table[numbers == old] = new
        table[numbers < 0] = table[65535] = results.get("ignore_index", self.ignore_index)
        return table
