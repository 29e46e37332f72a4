"""The benchmarks of open-vocabulary segmentation in their official folders, and what to say without them.

Classes and colours are mmseg's; label 255 is ignored, 65535 by those of more classes. mmseg's own classes stop with a
bare assertion or an empty list where a folder is not there, and have no VOC without background and no COCO-Object.
"""

from __future__ import annotations

from pathlib import Path

from mmseg.datasets import (
    ADE20KDataset,
    BaseSegDataset,
    CityscapesDataset,
    COCOStuffDataset,
    PascalContextDataset,
    PascalContextDataset59,
    PascalVOCDataset,
)

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


class BenchmarkSegDataset(BaseSegDataset):
    """A dataset of mmseg's kind that checks its files when it is read; a subclass says where they come from.

    Args:
        kwargs: of mmseg's ``BaseSegDataset``; suffixes and ``reduce_zero_label`` have the benchmark's values.
    """

    defaults: dict = {}
    source = ""

    def __init__(self, **kwargs) -> None:
        super().__init__(**{**self.defaults, **kwargs})

    def load_data_list(self) -> list[dict]:
        """One entry a picture.

        Raises:
            FileNotFoundError: a folder, the list of the split, pictures or label maps are missing.
        """
        folders = [self.data_prefix.get(key) for key in ("img_path", "seg_map_path")]
        for path in (*folders, self.ann_file):
            if path and not Path(path).exists():
                raise FileNotFoundError(f"no {path}: {self._remedy()}")
        entries = super().load_data_list()
        if not entries:
            raise FileNotFoundError(f"no *{self.img_suffix} in {folders[0]}: {self._remedy()}")
        files = [entry[key] for entry in entries for key in ("img_path", "seg_map_path") if key in entry]
        missing = [file for file in files if not Path(file).is_file()]
        if missing:
            raise FileNotFoundError(f"{len(missing)} of {len(files)} files, such as {missing[0]}: {self._remedy()}")
        return entries

    def _remedy(self) -> str:
        name = type(self).__name__
        return (
            f"{name} needs {self.source}. Link it to {self.data_root or 'the data_root of the config'} or give its "
            "place by --cfg-options test_dataloader.dataset.data_root=FOLDER"
        )


VOC_SOURCE = "PASCAL VOC 2012 (JPEGImages, SegmentationClass, ImageSets/Segmentation/val.txt)"
CONTEXT_SOURCE = (
    "PASCAL VOC 2010 with the label maps that tools/dataset_converters/pascal_context.py writes (JPEGImages, "
    "SegmentationClassContext, ImageSets/SegmentationContext/val.txt)"
)
VOC_FILES = dict(img_suffix=".jpg", seg_map_suffix=".png")


@DATASETS.register_module()
class VOC21Dataset(BenchmarkSegDataset):
    """PASCAL VOC 2012, 20 classes and background."""

    METAINFO = PascalVOCDataset.METAINFO
    defaults = VOC_FILES
    source = VOC_SOURCE


@DATASETS.register_module()
class VOC20Dataset(BenchmarkSegDataset):
    """PASCAL VOC 2012 without its background: pixels of label 0 are ignored."""

    METAINFO = {key: value[1:] for key, value in PascalVOCDataset.METAINFO.items()}
    defaults = dict(VOC_FILES, reduce_zero_label=True)
    source = VOC_SOURCE


@DATASETS.register_module()
class Context60Dataset(BenchmarkSegDataset):
    """PASCAL Context, 59 classes and background."""

    METAINFO = PascalContextDataset.METAINFO
    defaults = VOC_FILES
    source = CONTEXT_SOURCE


@DATASETS.register_module()
class Context59Dataset(BenchmarkSegDataset):
    """PASCAL Context without its background: pixels of label 0 are ignored."""

    METAINFO = PascalContextDataset59.METAINFO
    defaults = dict(VOC_FILES, reduce_zero_label=True)
    source = CONTEXT_SOURCE


def coco_object_meta() -> dict:
    """METAINFO of COCO-Object: background and the 80 things."""
    vocabulary = load_vocabulary("coco-object-81")
    return dict(classes=vocabulary.classes, palette=vocabulary.palette)


@DATASETS.register_module()
class COCOObjectDataset(BenchmarkSegDataset):
    """The 80 things of COCO-Stuff 164k; everything else is background, label 0, unlabelled pixels as well."""

    METAINFO = coco_object_meta()
    defaults = dict(img_suffix=".jpg", seg_map_suffix="_instanceTrainIds.png")
    source = (
        "COCO-Stuff 164k (images/val2017, annotations/val2017) with the label maps that "
        "tools/dataset_converters/coco_object.py writes (*_instanceTrainIds.png)"
    )


@DATASETS.register_module()
class COCOStuff164kDataset(BenchmarkSegDataset):
    """COCO-Stuff 164k, 80 things and 91 kinds of stuff."""

    METAINFO = COCOStuffDataset.METAINFO
    defaults = dict(img_suffix=".jpg", seg_map_suffix="_labelTrainIds.png")
    source = (
        "COCO-Stuff 164k (images/val2017, annotations/val2017) with the label maps that "
        "tools/dataset_converters/coco_stuff.py writes (*_labelTrainIds.png)"
    )


@DATASETS.register_module()
class Cityscapes19Dataset(BenchmarkSegDataset):
    """Cityscapes, 19 classes."""

    METAINFO = CityscapesDataset.METAINFO
    defaults = dict(img_suffix="_leftImg8bit.png", seg_map_suffix="_gtFine_labelTrainIds.png")
    source = (
        "Cityscapes (leftImg8bit/val, gtFine/val) with the label maps that "
        "tools/dataset_converters/city_train_ids.py writes (*_gtFine_labelTrainIds.png)"
    )


@DATASETS.register_module()
class ADE20K150Dataset(BenchmarkSegDataset):
    """ADE20K, 150 classes; label 0 is ignored."""

    METAINFO = dict(ADE20KDataset.METAINFO, classes=tuple(name.strip() for name in ADE20KDataset.METAINFO["classes"]))
    defaults = dict(img_suffix=".jpg", seg_map_suffix=".png", reduce_zero_label=True)
    source = "ADEChallengeData2016 (images/validation, annotations/validation)"


IGNORED_DEEP = 65535  # the ignored label of 16-bit maps


class DeepLabelDataset(BenchmarkSegDataset):
    """A benchmark of more than 255 classes: 16-bit maps, in which 65535 is ignored.

    Samples and metainfo carry ``ignore_index``: ``LoadAnnotations`` and ``GroupedIoUMetric`` follow them.
    """

    defaults = dict(img_suffix=".jpg", seg_map_suffix=".png", ignore_index=IGNORED_DEEP)

    def load_data_list(self) -> list[dict]:
        return [dict(entry, ignore_index=self.ignore_index) for entry in super().load_data_list()]


def deep_meta(name: str) -> dict:
    """METAINFO of a shipped vocabulary of more than 255 classes."""
    vocabulary = load_vocabulary(name)
    return dict(classes=vocabulary.classes, palette=vocabulary.palette, ignore_index=IGNORED_DEEP)


@DATASETS.register_module()
class ADE20K847Dataset(DeepLabelDataset):
    """The 847 most frequent classes of ADE20K's full annotation; MaskFormer's choice and order."""

    METAINFO = deep_meta("ade20k-847")
    source = (
        "ADE20K_2021_17_01 (images/ADE/validation) with the label maps that tools/dataset_converters/ade20k_full.py "
        "writes (annotations_847/validation)"
    )


@DATASETS.register_module()
class Context459Dataset(DeepLabelDataset):
    """All 459 classes of PASCAL Context."""

    METAINFO = deep_meta("pascal-context-459")
    source = (
        "PASCAL VOC 2010 (JPEGImages) with PASCAL Context's label maps as "
        "tools/dataset_converters/pascal_context_459.py writes them (SegmentationClassContext459) and the list "
        "ImageSets/SegmentationContext/val.txt"
    )
