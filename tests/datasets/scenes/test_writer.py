import json
import runpy

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from ovdense.datasets import ScenesSegDataset
from ovdense.datasets.scenes.base import select_objects
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.writer import SceneWriter
from ovdense.models.vocabulary_files import load_vocabulary


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    vocabulary = load_vocabulary("scenes-143")
    generator = SceneGenerator(classes=select_objects(vocabulary, None), seed=1, texture_variants=1)
    scenes = {index: generator[index] for index in range(12)}
    writer = SceneWriter(folder, vocabulary=vocabulary, split="val")
    assert writer.write(scenes.items()) == 12
    return folder, scenes


def test_images_and_labels_are_those_of_the_scenes(written):
    folder, scenes = written
    classes = load_vocabulary(str(folder / "vocabulary.json")).classes
    for index, scene in scenes.items():
        image = cv2.imread(str(folder / "images" / "validation" / f"{index:06d}.png"))
        labels = cv2.imread(str(folder / "annotations" / "validation" / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(image[..., ::-1], scene.image)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, scene.semantic_as(classes))


def test_instances_can_be_read_with_pycocotools(written):
    folder, scenes = written
    coco = COCO(str(folder / "coco" / "instances_val.json"))
    assert len(coco.anns) == sum(len(scene.objects) for scene in scenes.values())
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert mask.sum() == annotation["area"]
        x, y, width, height = annotation["bbox"]
        assert mask[y : y + height, x : x + width].sum() == annotation["area"]
        item = next(
            item
            for item in scenes[annotation["image_id"]].objects
            if np.array_equal(mask > 0, scenes[annotation["image_id"]].instances == item.instance_id)
        )
        assert coco.cats[annotation["category_id"]]["name"] == item.name
        assert annotation["iscrowd"] == item.ignored


def test_panoptic_segments_cover_what_is_not_ignored(written):
    folder, scenes = written
    content = json.loads((folder / "coco" / "panoptic_val.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert sum(category["isthing"] for category in content["categories"]) == 127
    for annotation in content["annotations"]:
        scene = scenes[annotation["image_id"]]
        png = cv2.imread(str(folder / "coco" / "panoptic_val" / annotation["file_name"])).astype(int)
        ids = png[..., 2] + 256 * png[..., 1] + 65536 * png[..., 0]
        assert ((ids == 0) == (scene.semantic == 255)).all()
        for segment in annotation["segments_info"]:
            mask = ids == segment["id"]
            assert mask.sum() == segment["area"]
            assert {scene.labels[label] for label in np.unique(scene.semantic[mask])} == {names[segment["category_id"]]}


def test_captions(written):
    folder, scenes = written
    content = json.loads((folder / "coco" / "captions_val.json").read_text())
    assert {item["image_id"]: item["caption"] for item in content["annotations"]} == {
        index: scene.caption for index, scene in scenes.items()
    }


def test_command_writes_what_the_datasets_show(tmp_path):
    main = runpy.run_path("tools/dataset_converters/make_scenes.py")["main"]
    main([str(tmp_path), "--num", "2", "--first", "4", "--vocabulary", "scenes-48", "--labelled", "fox"])
    dataset = ScenesSegDataset(split="val", num_scenes=6, test_mode=True)
    image = cv2.imread(str(tmp_path / "images" / "validation" / "000005.png"))
    assert np.array_equal(image, dataset.get_data_info(5)["img"])
