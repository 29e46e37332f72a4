"""Regions and crops of a picture, and proposals out of a file."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ovdense.datasets.region_folder import RegionFolderDataset
from ovdense.datasets.transforms import PackRegionCrops


def halves():
    """40 x 80 pixels, left black, right white."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 40:] = 255
    return picture


def test_crops_are_centred_and_boxes_follow_the_size():
    pack = PackRegionCrops(source="proposals", crop_scale=1.0, crop_size=16, image_size=160, min_size=4)
    out = pack(dict(img=halves(), proposals=[[40, 0, 80, 20], [0, 0, 2, 2]]))
    assert out["inputs"].shape == (3, 160, 160) and out["inputs"].dtype == torch.uint8
    assert out["boxes"].tolist() == [[80, 0, 160, 40]]  # the second is too small
    assert out["crops"].shape == (1, 3, 16, 16)
    assert (out["crops"][0, :, 4:12] == 255).all()
    assert not out["crops"][0, :, :4].any() and not out["crops"][0, :, 12:].any()
    assert not out["inputs"][:, 80:].any()  # padding


def test_proposals_are_cut_with_their_surroundings():
    pack = PackRegionCrops(source="proposals", crop_size=30, image_size=None, square=False)
    out = pack(dict(img=halves(), proposals=[[30, 10, 50, 30]]))  # seen from 25 to 55 and 5 to 35
    assert out["crops"][0, 0, :, 12].max() < 10 and out["crops"][0, 0, :, 18].min() > 245
    assert out["inputs"].shape == (3, 40, 80)


def test_grids_stand_in_for_missing_proposals():
    pack = PackRegionCrops(source="proposals", crop_size=8, image_size=None, most_cells=2, max_regions=3)
    out = pack(dict(img=halves(), proposals=[]))
    assert 1 <= len(out["boxes"]) <= 3 and len(out["crops"]) == len(out["boxes"])
    with pytest.raises(ValueError, match="needs boxes of every picture"):
        pack(dict(img=halves()))
    with pytest.raises(ValueError, match="source must be grid or proposals, got 'rpn'"):
        PackRegionCrops(source="rpn")


def test_a_folder_with_a_proposals_file(tmp_path):
    (tmp_path / "images" / "a").mkdir(parents=True)
    for name in ("a/1.png", "2.png"):
        Image.fromarray(halves()).save(tmp_path / "images" / name)
    boxes = dict(
        images=[dict(id=7, file_name="a/1.png"), dict(id=8, file_name="none.png")],
        annotations=[
            dict(image_id=7, bbox=[1, 2, 10, 20], score=0.9, category_id=1),
            dict(image_id=7, bbox=[0, 0, 5, 5], score=0.1, category_id=1),
        ],
    )
    path = tmp_path / "proposals.json"
    path.write_text(json.dumps(boxes))
    data = RegionFolderDataset(
        data_root=str(tmp_path / "images"), proposals_file=str(path), min_score=0.5, pipeline=[], lazy_init=True
    )
    found = {entry["img_path"][-5:]: entry["proposals"].tolist() for entry in data.load_data_list()}
    assert found == {"1.png": [[1, 2, 11, 22]], "2.png": []}
    path.write_text(json.dumps(dict(images=[dict(id=1, file_name="x.png")], annotations=[])))
    with pytest.raises(ValueError, match=r"names none of the 2 pictures in .*got x\.png"):
        data.load_data_list()
    path.write_text("[]")
    with pytest.raises(ValueError, match="must be a COCO json"):
        data.load_data_list()
