"""Labels of inductive training, and the base configs of the zero-shot splits on miniatures."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.datasets.transforms import ZeroShotLabels
from ovdense.models.zero_shot_splits import load_split
from ovdense.registry import DATASETS, METRICS

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("miniatures", ROOT / "tests/datasets/miniatures.py")
miniatures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(miniatures)
CONFIGS = {
    "voc_zero-shot-15-5_512": ("voc21", "voc-15-5"),
    "voc_zero-shot-unseen-10_512": ("voc21", "voc-unseen-10"),
    "coco-stuff_zero-shot-156-15_512": ("coco-stuff", "coco-stuff-156-15"),
    "context_zero-shot-49-10_512": ("context60", "context-49-10"),
}


def labels(values, **options):
    results = ZeroShotLabels(**options).transform(dict(gt_seg_map=np.array([values], np.uint8)))
    assert results["gt_seg_map"].dtype == np.uint8
    return results["gt_seg_map"][0].tolist()


def test_unseen_pixels_are_ignored_and_seen_ones_stay_or_are_renumbered():
    options = dict(split=["b", "d"], classes=["a", "b", "c", "d", "e"])
    assert labels([0, 1, 2, 3, 4, 255], **options) == [0, 255, 2, 255, 4, 255]
    assert labels([0, 1, 2, 3, 4, 255], renumber=True, **options) == [0, 255, 1, 255, 2, 255]
    assert labels([14, 15, 19, 255], split="voc-15-5") == [14, 255, 255, 255]
    with pytest.raises(ValueError, match=r"label 20 is none of the 20 classes of the split 'voc-15-5'"):
        labels([20], split="voc-15-5")


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_configs_train_without_unseen_pixels_and_test_with_them(name, tmp_path):
    data, split = CONFIGS[name]
    miniatures.write_miniature(data, tmp_path)
    config = Config.fromfile(ROOT / "configs/_base_/datasets" / f"{name}.py")
    with DefaultScope.overwrite_default_scope("ovdense"):
        train, test = (
            DATASETS.build(dict(config[loader].dataset, data_root=str(tmp_path)))
            for loader in ("train_dataloader", "test_dataloader")
        )
        metric = METRICS.build(config.test_evaluator)
        classes = train.metainfo["classes"]
        unseen = set(load_split(split).groups(classes)["unseen"])
        loaded = set()
        for index in range(3):
            results = train.get_data_info(index)
            for step in train.pipeline.transforms[:3]:
                results = step(results)
            loaded |= set(np.unique(results["gt_seg_map"]).tolist())
        assert loaded == set(range(len(classes))) - unseen | {255}
        tested = {
            label for index in range(3) for label in np.unique(test[index]["data_samples"].gt_sem_seg.data).tolist()
        }
    assert unseen <= tested
    assert metric.split.name == split and train.metainfo["classes"] == test.metainfo["classes"]
