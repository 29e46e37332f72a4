"""Loading transforms: the keys that mm pipelines need, under the names that mm's inferencers look for."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.datasets.transforms import ImageError, LoadImage, LoadLabels
from ovdense.registry import TRANSFORMS


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (5, 3), (10, 20, 30)).save(path)
    return path


def test_keys_of_a_loaded_file(photo):
    results = LoadImage()({"img_path": str(photo), "img_id": 7})
    assert results["img"].shape == (3, 5, 3) and tuple(results["img"][0, 0]) == (30, 20, 10)
    assert results["img_shape"] == results["ori_shape"] == (3, 5)
    assert results["img_path"] == str(photo) and results["img_id"] == 7
    assert LoadImage(to_float32=True)({"img_path": photo})["img"].dtype == np.float32


def test_arrays_bytes_and_bare_inputs(photo):
    array = np.zeros((4, 6, 3), np.uint8)
    assert LoadImage()({"img": array})["img_path"] is None
    assert LoadImage()(array)["ori_shape"] == (4, 6)
    assert LoadImage()(str(photo))["ori_shape"] == (3, 5)
    assert LoadImage()({"img": photo.read_bytes()})["ori_shape"] == (3, 5)
    assert LoadImage(backend_args=dict(backend="local"))({"img_path": str(photo)})["ori_shape"] == (3, 5)


def test_a_bad_file_raises_or_is_skipped(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    with pytest.raises(ImageError, match=r"bad\.png"):
        LoadImage()({"img_path": tmp_path / "bad.png"})
    assert LoadImage(ignore_empty=True)({"img_path": tmp_path / "bad.png"}) is None
    with pytest.raises(ValueError, match="grayscale"):
        LoadImage(color_type="grayscale")


@pytest.mark.parametrize("name", ["LoadImage", "LoadImageFromFile", "LoadImageFromNDArray", "InferencerLoader"])
def test_names_of_mm_resolve_to_our_loader(name, photo):
    assert TRANSFORMS.get(name) is LoadImage
    with DefaultScope.overwrite_default_scope("ovdense"):
        pipeline = Compose([dict(type=name)])
    assert pipeline({"img_path": str(photo)})["ori_shape"] == (3, 5)


def load_labels(tmp_path, array, transform=None, **info):
    Image.fromarray(array).save(tmp_path / "labels.png")
    results = dict(seg_map_path=str(tmp_path / "labels.png"), seg_fields=[], reduce_zero_label=False, label_map=None)
    return (transform or LoadLabels())({**results, **info})["gt_seg_map"]


def test_labels_of_8_and_16_bits(tmp_path):
    small = np.array([[0, 1, 255]], np.uint8)
    assert load_labels(tmp_path, small).tolist() == [[0, 1, 255]]
    large = np.array([[0, 300, 846, 65535]], np.uint16)
    assert load_labels(tmp_path, large).tolist() == [[0, 300, 846, 255]]
    assert load_labels(tmp_path, large, LoadLabels(ignore_index=65535)).tolist() == [[0, 300, 846, 65535]]


def test_16_bit_labels_are_shifted_and_mapped_like_8_bit_ones(tmp_path):
    values = [[0, 1, 2, 3]]
    for kind in (np.uint8, np.uint16):
        labels = load_labels(tmp_path, np.array(values, kind), reduce_zero_label=True)
        assert labels.tolist() == [[255, 0, 1, 2]]
        labels = load_labels(tmp_path, np.array(values, kind), label_map={0: 1, 1: 0, 2: 255})
        assert labels.tolist() == [[1, 0, 255, 3]]


def test_unused_arguments_of_mm_configs_are_accepted():
    assert TRANSFORMS.build(dict(type="LoadImageFromFile", backend_args=None, imdecode_backend="cv2"))
    assert repr(LoadImage()).startswith("LoadImage(to_float32=False")
