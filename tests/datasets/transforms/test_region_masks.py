"""Region maps from files of every kind that is promised, and what is said when they are missing or do not fit."""

import json

import numpy as np
import pytest
from mmseg.datasets.transforms import PackSegInputs
from PIL import Image
from pycocotools import mask as coco

from ovdense.datasets.transforms import LoadRegionMasks

IDS = np.array([[0, 0, 7], [70000, 7, 7]])


def load(folder, name="photo.jpg", size=(2, 3), **options):
    transform = LoadRegionMasks(folder=None if folder is None else str(folder), **options)
    return transform(dict(img_path=f"/pictures/{name}", ori_shape=size))["region_ids"]


def test_arrays_of_any_integer_type(tmp_path):
    np.savez_compressed(tmp_path / "photo.npz", ids=IDS.astype(np.uint32))
    np.save(tmp_path / "other.npy", IDS.astype(np.int64))
    np.savez(tmp_path / "third.npz", instance_mask=IDS % 256, score=np.ones(2))
    assert load(tmp_path).tolist() == load(tmp_path, "other.png").tolist() == IDS.tolist()
    third = load(tmp_path, "third.jpg", key="instance_mask")
    assert third.dtype == np.int32 and third.tolist() == (IDS % 256).tolist()
    with pytest.raises(ValueError, match=r"has the arrays \['instance_mask', 'score'\].*by key"):
        load(tmp_path, "third.jpg")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_png(tmp_path, dtype):
    ids = np.array([[0, 1, 2], [3, np.iinfo(dtype).max, 5]], dtype)
    Image.fromarray(ids).save(tmp_path / "photo.png")
    assert load(tmp_path).tolist() == ids.tolist()


def test_colour_png_of_cocos_panoptic_maps(tmp_path):
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[1, 0] = (112, 17, 1)  # 112 + 256 * 17 + 65536 = 70000
    colours[0, 2] = colours[1, 1:] = (7, 0, 0)
    Image.fromarray(colours).save(tmp_path / "photo.png")
    assert load(tmp_path).tolist() == IDS.tolist()


def test_tiff_of_32_bits(tmp_path):
    Image.fromarray(IDS.astype(np.int32)).save(tmp_path / "photo.tif")
    assert load(tmp_path).tolist() == IDS.tolist()


def run_lengths(rows):
    packed = coco.encode(np.asfortranarray(np.array(rows, np.uint8)))
    return dict(size=packed["size"], counts=packed["counts"].decode())


MASKS = [
    dict(segmentation=run_lengths([[1, 1, 0], [0, 0, 0]])),
    dict(segmentation=dict(size=[2, 3], counts=[2, 4])),  # columns 1 and 2
    dict(segmentation=[[0, 1, 1, 1, 1, 2, 0, 2]]),  # the lower left pixel
]


@pytest.mark.parametrize("document", [MASKS, dict(image=dict(image_id=3), annotations=MASKS)])
def test_masks_of_sam(tmp_path, document):
    (tmp_path / "photo.json").write_text(json.dumps(document))
    assert load(tmp_path).tolist() == [[1, 2, 2], [3, 2, 2]]
    assert load(tmp_path, overlap="smallest").tolist() == [[1, 1, 2], [3, 2, 2]]


def test_one_json_for_all_pictures(tmp_path):
    path = tmp_path / "masks.json"
    images = [dict(id=5, file_name="photo.jpg"), dict(id=6, file_name="empty.jpg")]
    path.write_text(json.dumps(dict(images=images, annotations=[dict(one, image_id=5) for one in MASKS])))
    assert load(None, ann_file=str(path)).tolist() == [[1, 2, 2], [3, 2, 2]]
    assert load(None, "empty.jpg", ann_file=str(path)).tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(FileNotFoundError, match=r"no region masks for /pictures/third.jpg.*masks.json has no image"):
        load(None, "third.jpg", ann_file=str(path))


def test_missing_masks_are_an_error_unless_they_are_optional(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"for /pictures/photo.jpg: looked for .*photo.npz.*README"):
        load(tmp_path)
    optional = LoadRegionMasks(folder=str(tmp_path), optional=True)
    assert "region_ids" not in optional(dict(img_path="photo.jpg", ori_shape=(2, 3)))
    assert "region_ids" not in optional(dict(img_path=None, ori_shape=(2, 3)))
    with pytest.raises(ValueError, match="came as an array"):
        LoadRegionMasks(folder=str(tmp_path))(dict(img_path=None, ori_shape=(2, 3)))
    with pytest.raises(FileNotFoundError, match=r"no such file of region masks: .*none.json"):
        load(None, ann_file=str(tmp_path / "none.json"))


def test_what_does_not_fit_is_refused(tmp_path):
    np.save(tmp_path / "photo.npy", IDS)
    with pytest.raises(ValueError, match=r"regions of 2 x 3 pixels, but /pictures/photo.jpg has 4 x 6"):
        load(tmp_path, size=(4, 6))
    np.save(tmp_path / "photo.npy", IDS * 1.0)
    with pytest.raises(ValueError, match="integer region ids, got float64"):
        load(tmp_path)
    np.save(tmp_path / "photo.npy", -IDS)
    with pytest.raises(ValueError, match=r"0 .no region. or more, got -70000"):
        load(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"cannot read region masks from .*bad.json"):
        load(tmp_path, "bad.jpg")
    (tmp_path / "size.json").write_text(json.dumps([dict(segmentation=dict(size=[3, 2], counts=[6]))]))
    with pytest.raises(ValueError, match=r"size.json, mask 0 is \(3, 2\) pixels, but the picture is \(2, 3\)"):
        load(tmp_path, "size.jpg")
    with pytest.raises(ValueError, match="either folder or ann_file"):
        LoadRegionMasks()
    with pytest.raises(ValueError, match="suffix must be one of"):
        LoadRegionMasks(folder="a", suffix="jpg")


def test_packing_carries_the_map_on(tmp_path):
    np.save(tmp_path / "photo.npy", IDS)
    results = dict(img_path="photo.jpg", ori_shape=(2, 3), img=np.zeros((4, 6, 3), np.uint8))
    packed = PackSegInputs(meta_keys=("ori_shape", "region_ids"))(LoadRegionMasks(folder=str(tmp_path))(results))
    assert packed["data_samples"].metainfo["region_ids"].tolist() == IDS.tolist()
