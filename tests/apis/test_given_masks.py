"""Masks that another tool made: reading and naming them."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovdense.apis import Detector, classify_masks, read_masks

SIZE = (20, 30)


def square(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def run_lengths(mask):
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=list(rle["size"]), counts=rle["counts"].decode())


def test_run_lengths_polygons_and_objects_give_the_same_mask(tmp_path):
    mask = square(4, 5, 10, 15)
    plain = dict(size=list(SIZE), counts=[5 * 20 + 4, *[6, 14] * 9, 6, 4 + 20 * 15 - 0])
    plain["counts"][-1] = 20 * 30 - sum(plain["counts"][:-1])
    polygon = [5, 4, 15, 4, 15, 10, 5, 10]
    items = [run_lengths(mask), plain, [polygon], polygon, dict(segmentation=run_lengths(mask), area=60)]
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(items))
    for found in (read_masks(items, SIZE), read_masks(path, SIZE)):
        assert found.shape == (5, *SIZE) and all(np.array_equal(one, mask) for one in found)
    assert read_masks([], SIZE).shape == (0, *SIZE)


def test_a_coco_document_gives_those_of_the_picture():
    images = [dict(id=1, file_name="a.jpg"), dict(id=2, file_name="b.jpg")]
    annotations = [dict(image_id=number, segmentation=run_lengths(square(0, 0, number, 3))) for number in (1, 2)]
    document = dict(images=images, annotations=annotations)
    assert read_masks(document, SIZE, "folder/b.jpg").sum() == 6
    with pytest.raises(ValueError, match=r"no picture c\.jpg"):
        read_masks(document, SIZE, "c.jpg")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([dict(size=[5, 5], counts="x")], r"mask 0 is of size \[5, 5\], the picture of \[20, 30\]"),
        ([[1, 2, 3, 4, 5, 6], "mask"], "mask 1: masks are COCO run lengths"),
        (dict(masks=[]), "in a list; got dict"),
        ("nowhere.json", "no such file"),
    ],
)
def test_what_is_no_mask_is_refused(source, words):
    with pytest.raises(ValueError, match=words):
        read_masks(source, SIZE)


def test_masks_of_a_drawn_scene_get_their_names():
    from ovdense.datasets.scenes.generator import SceneGenerator

    scene = SceneGenerator(classes=["apple", "car", "cat", "key"], styles=["noto"], seed=3)[0]
    objects = [item for item in scene.objects if not item.ignored]
    masks = np.stack(
        [scene.instances == item.instance_id for item in objects] + [np.zeros(scene.instances.shape, bool)]
    )
    detector = Detector.from_config("ovseg-regions_scenes_scenes-127-96")
    named = classify_masks(detector, scene.image[..., ::-1].copy(), masks, ["apple", "car", "cat", "key"])
    assert named.scores.shape == (len(masks), 4) and named.names[-1] is None and named.labels[-1] == -1
    right = [name == item.name for name, item in zip(named.names, objects)]
    assert sum(right) >= 0.5 * len(objects)
    assert len(named.result.boxes) == len(objects)
    with pytest.raises(ValueError, match="like the picture"):
        classify_masks(detector, scene.image[..., ::-1].copy(), masks[:, :-1])
