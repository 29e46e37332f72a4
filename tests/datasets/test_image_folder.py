"""Folders of pictures without labels, and the changes of light and sharpness that training makes."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.registry import DATASETS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


@pytest.fixture
def folder(tmp_path):
    for index in range(6):
        path = tmp_path / f"class{index % 2}" / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20 + index, 16), (index, 0, 0)).save(path)
    return tmp_path


def names(dataset):
    return [dataset.get_data_info(index)["img_path"].rsplit("/", 1)[-1] for index in range(len(dataset))]


def dataset(folder, **kwargs):
    return DATASETS.build(dict(type="ImageFolderDataset", data_root=str(folder), pipeline=[], **kwargs))


def test_all_pictures_of_all_subfolders(folder):
    assert names(dataset(folder)) == ["0.jpg", "2.jpg", "4.jpg", "1.jpg", "3.jpg", "5.jpg"]
    assert len(dataset(folder, num_images=50)) == 6
    assert "seg_map_path" not in dataset(folder).get_data_info(0)


def test_a_drawing_is_the_same_for_the_same_seed(folder):
    drawn = names(dataset(folder, num_images=3))
    assert len(set(drawn)) == 3 and drawn == names(dataset(folder, num_images=3))
    assert len({tuple(names(dataset(folder, num_images=3, subset_seed=seed))) for seed in range(8)}) > 1


def test_mistakes_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent.*: set data_root"):
        dataset(folder / "absent")
    with pytest.raises(ValueError, match="above 0 or None for all, got 0"):
        dataset(folder, num_images=0)


def test_the_training_pipeline_of_clip_dinoiser_gives_crops_of_448(folder):
    config = Config.fromfile(ROOT / "configs" / "_base_" / "datasets" / "image_folder_train.py")
    steps = DATASETS.build(dict(config.train_dataloader.dataset, data_root=str(folder), num_images=2))
    assert steps[0]["inputs"].shape == (3, 448, 448) and "gt_sem_seg" not in steps[0]["data_samples"]


def test_brightness_is_one_factor_for_all_pixels():
    image = np.array([[[10, 20, 200]]], np.uint8)
    results = {}
    for seed in range(20):
        np.random.seed(seed)
        bright = TRANSFORMS.build(dict(type="RandomBrightness", strength=0.5))(dict(img=image))["img"]
        factor = bright[0, 0, 1] / 20
        assert 0.45 <= factor <= 1.55 and abs(bright[0, 0, 0] - 10 * factor) <= 1
        assert abs(int(bright[0, 0, 2]) - min(255, 200 * factor)) <= 6  # the factor is known to 1 / 40
        results[seed] = factor
    assert len(set(results.values())) > 5
    with pytest.raises(ValueError, match="share from 0 to 1, got 2"):
        TRANSFORMS.build(dict(type="RandomBrightness", strength=2))


def test_blur_keeps_the_mean_and_lowers_the_contrast():
    image = np.tile(np.array([[0, 255], [255, 0]], np.uint8)[..., None], (20, 20, 3))
    blurred = TRANSFORMS.build(dict(type="RandomBlur", prob=1.0, sigma=(2.0, 2.0)))(dict(img=image.copy()))["img"]
    assert blurred.std() < 5 and abs(blurred.mean() - image.mean()) < 2
    assert TRANSFORMS.build(dict(type="RandomBlur", prob=0.0))(dict(img=image))["img"] is image
    with pytest.raises(ValueError, match="sigma above 0, rising"):
        TRANSFORMS.build(dict(type="RandomBlur", sigma=(2.0, 1.0)))
