"""Labels follow the vocabulary by name; what the file lacks is said."""

import json

import pytest

from ovdense.datasets import OpenVocabDetDataset

URL = "http://images.cocodataset.org/val2017/000000000005.jpg"


def dataset(tmp_path, categories, vocabulary=None, image=None):
    image = image or dict(file_name="a.jpg")
    document = dict(
        images=[dict(id=5, width=20, height=20, **image)],
        annotations=[
            dict(id=n, image_id=5, category_id=c["id"], bbox=[0, 0, n, n], area=n * n, iscrowd=0)
            for n, c in enumerate(categories, 1)
        ],
        categories=categories,
    )
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(document))
    return OpenVocabDetDataset(
        vocabulary=vocabulary, ann_file=str(path), data_prefix=dict(img="pictures"), test_mode=True, pipeline=[]
    )


def labels(data):
    return [instance["bbox_label"] for instance in data.get_data_info(0)["instances"]]


def test_labels_follow_the_names_whatever_the_order_of_the_file(tmp_path):
    categories = [dict(id=9, name="dog"), dict(id=4, name="cat"), dict(id=2, name="cow")]
    vocabulary = dict(classes=["cat", "dog"], groups=dict(base=[1], novel=[0]))
    data = dataset(tmp_path, categories, vocabulary)
    assert labels(data) == [1, 0]  # dog, cat; the cow is in no class
    assert data.metainfo["base_classes"] == ("dog",) and data.metainfo["novel_classes"] == ("cat",)
    assert dataset(tmp_path, categories).metainfo["classes"] == ("cow", "cat", "dog")


def test_classes_that_the_file_lacks_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"lacks 1 of the 2 classes, such as \['zebra'\]"):
        dataset(tmp_path, [dict(id=1, name="cat"), dict(id=2, name="dog"), dict(id=3, name="cow")], ["cat", "zebra"])
    with pytest.raises(FileNotFoundError, match=r"no .*none\.json: run the converter"):
        OpenVocabDetDataset(ann_file=str(tmp_path / "none.json"), source="run the converter", pipeline=[])


def test_a_name_spelt_otherwise_is_found_by_its_place(tmp_path):
    categories = [dict(id=1, name="cat"), dict(id=2, name="speaker_(stero_equipment)")]
    assert labels(dataset(tmp_path, categories, ["cat", "speaker_(stereo_equipment)"])) == [0, 1]


@pytest.mark.parametrize("image", [dict(coco_url=URL), dict(coco_url=URL, file_name="COCO_val2014_000000000005.jpg")])
def test_lvis_finds_its_pictures_by_url(tmp_path, image):
    data = dataset(tmp_path, [dict(id=1, name="cat")], image=image)
    assert data.get_data_info(0)["img_path"] == "pictures/val2017/000000000005.jpg"
