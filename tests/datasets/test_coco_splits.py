"""The files of OV-COCO and OV-LVIS from small documents whose results can be counted by hand."""

import json

import pytest

from ovdense.datasets.coco_splits import MANIFEST, Part, cut, find_problems, read_coco, write_parts
from ovdense.datasets.ov_protocols import MinivalRule, coco_parts, lvis_parts, with_file_names
from ovdense.models.vocabulary_files import load_vocabulary

COCO_IDS = [i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]


def coco(boxes):
    """COCO with pictures 1 to 3; ``boxes`` are (picture, class name)."""
    categories = [dict(id=number, name=name) for number, name in zip(COCO_IDS, load_vocabulary("coco-80").classes)]
    ids = {one["name"]: one["id"] for one in categories}
    images = [dict(id=i, file_name=f"{i}.jpg", width=100, height=100) for i in (1, 2, 3)]
    annotations = [
        dict(id=n, image_id=picture, category_id=ids[name], bbox=[1, 1, 10, 10], area=100, iscrowd=0)
        for n, (picture, name) in enumerate(boxes, 1)
    ]
    return dict(images=images, annotations=annotations, categories=categories)


BOXES = [(1, "person"), (1, "dog"), (2, "cat"), (3, "cell phone"), (3, "wine glass")]


def write(path, document):
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("protocol", "counts"),
    [
        (
            "ov-coco-65",
            {
                "instances_train2017_seen_2.json": (1, 1, 48),
                "instances_train2017_seen_2_65_cat.json": (1, 1, 65),
                "instances_val2017_all_2.json": (2, 3, 65),
            },
        ),
        (
            "ov-coco-80",
            {
                "instances_train2017_base.json": (3, 1, 80),
                "instances_val2017_base.json": (3, 1, 80),
                "instances_val2017_novel.json": (3, 2, 80),
            },
        ),
        (
            "ov-coco-constrained",
            {"instances_val2017_seen_2.json": (1, 1, 48), "instances_val2017_unseen_2.json": (2, 2, 17)},
        ),
    ],
)
def test_the_protocols_of_coco_keep_what_they_say(tmp_path, protocol, counts):
    source = write(tmp_path / "source.json", coco(BOXES))
    files = write_parts(coco_parts(protocol), dict(train=source, val=source), tmp_path / "out", say=lambda _: None)
    assert {name: (one["images"], one["annotations"], one["classes"]) for name, one in files.items()} == counts
    for name, (images, annotations, classes) in counts.items():
        document = read_coco(tmp_path / "out" / name)
        assert (len(document["images"]), len(document["annotations"]), len(document["categories"])) == (
            images,
            annotations,
            classes,
        )
        assert [one["id"] for one in document["categories"]] == sorted(one["id"] for one in document["categories"])


def test_what_is_done_is_left_alone_and_what_is_broken_is_made_again(tmp_path):
    source, out = write(tmp_path / "source.json", coco(BOXES)), tmp_path / "out"
    parts = coco_parts("ov-coco-constrained")

    def run():
        said = []
        write_parts(parts, dict(val=source), out, say=said.append)
        return ["already" in text for text in said]

    assert run() == [False, False]
    (out / ".unfinished").write_text("")
    assert run() == [True, True]
    broken = out / "instances_val2017_unseen_2.json"
    broken.write_text(broken.read_text()[:-5])
    assert sorted(run()) == [False, True]
    (out / MANIFEST).unlink()
    assert run() == [False, False]
    write(source, coco([*BOXES, (2, "bus")]))
    assert run() == [False, False] and len(read_coco(broken)["annotations"]) == 3


def test_lvis_keeps_frequent_and_common_classes_and_finds_minival(tmp_path):
    vocabulary = load_vocabulary("lvis-1203")
    rare, common = vocabulary.group("rare")[0], vocabulary.group("common")[0]
    categories = [dict(id=i, name=name) for i, name in enumerate(vocabulary.classes, 1)]
    place = vocabulary.classes.index("speaker_(stereo_equipment)")
    categories[place]["name"] = "speaker_(stero_equipment)"  # as the official file writes it
    url = "http://images.cocodataset.org/{}/{:012d}.jpg"
    lists = dict(neg_category_ids=[rare + 1, common + 1], not_exhaustive_category_ids=[rare + 1])
    images = [
        dict(id=7, coco_url=url.format("val2017", 7), width=50, height=50, **lists),
        dict(id=8, coco_url=url.format("train2017", 8), width=50, height=50, **lists),
    ]
    annotations = [
        dict(id=n, image_id=7, category_id=c + 1, bbox=[0, 0, 5, 5], area=25) for n, c in enumerate((rare, common))
    ]
    source = write(tmp_path / "lvis.json", dict(images=images, annotations=annotations, categories=categories))
    parts = [part for name in ("ov-lvis", "ov-lvis-minival") for part in lvis_parts(name)]
    files = write_parts(parts, dict(train=source, val=source), tmp_path, adjust=with_file_names, say=lambda _: None)
    assert {name: (one["images"], one["annotations"], one["classes"]) for name, one in files.items()} == {
        "lvis_v1_train_seen.json": (1, 1, 866),
        "lvis_v1_train_seen_1203_cat.json": (1, 1, 1203),
        "lvis_v1_train_norare.json": (2, 1, 1203),
        "lvis_v1_minival_inserted_image_name.json": (1, 2, 1203),
    }
    (image,) = read_coco(tmp_path / "lvis_v1_train_seen.json")["images"]
    assert image["file_name"] == "val2017/000000000007.jpg"
    assert image["neg_category_ids"] == [common + 1] and image["not_exhaustive_category_ids"] == []
    assert MinivalRule(["000000000008.jpg"])(images[1]) and not MinivalRule([7])(images[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["annotations"][0].update(image_id=99), "annotations of unknown pictures: 1"),
        (lambda d: d["annotations"][0].update(category_id=12), "annotations of unknown classes: 1"),
        (lambda d: d["annotations"][1].update(id=1), "annotation ids used twice: 1"),
        (lambda d: d["images"][1].update(id=1), "picture ids used twice: 1"),
        (lambda d: d["images"][1].update(file_name="1.jpg"), "file names used twice: 1.jpg"),
        (lambda d: d["categories"][1].update(name="person"), "class names used twice: person"),
        (lambda d: d["annotations"][0].update(bbox=[1, 1, 0, 10]), "boxes that are not"),
        (lambda d: d["annotations"][0].update(bbox=[95, 1, 10, 10]), "boxes outside their picture: 1"),
    ],
)
def test_problems_are_named(change, words):
    document = coco(BOXES)
    assert find_problems(document) == []
    change(document)
    assert any(words in problem for problem in find_problems(document))


def test_bad_sources_stop_with_the_reason(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json; give the official json"):
        read_coco(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"images": [')
    with pytest.raises(ValueError, match="no whole json file"):
        read_coco(tmp_path / "half.json")
    with pytest.raises(ValueError, match=r"lacks \['annotations'\]"):
        read_coco(write(tmp_path / "other.json", dict(images=[], categories=[])))
    with pytest.raises(ValueError, match=r"1 of 2 classes are not in the annotations, such as \['zebu'\]"):
        cut(coco(BOXES), Part("x.json", "val", ("person", "zebu"), ("person", "zebu")))
    broken = coco(BOXES)
    broken["annotations"][0]["image_id"] = 99
    source = write(tmp_path / "broken.json", broken)
    with pytest.raises(ValueError, match="unknown pictures"):
        write_parts(coco_parts("ov-coco-65"), dict(val=source), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.json"))
