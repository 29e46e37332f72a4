"""Boxes handed in: every form gives the same boxes, wrong ones are named."""

import json

import pytest

from ovdense.apis.proposals import GivenProposals

BOXES = [[1, 2, 30, 40], [5, 5, 6, 7]]


def test_every_form(tmp_path):
    coco = dict(
        images=[dict(id=3, file_name="a.jpg"), dict(id=4, file_name="b.jpg")],
        annotations=[dict(image_id=3, bbox=[1, 2, 29, 38]), dict(image_id=3, bbox=[5, 5, 1, 2])],
    )
    for name, content in (("list", BOXES), ("dict", {"a.jpg": BOXES, "b.jpg": []}), ("coco", coco)):
        (tmp_path / name).write_text(json.dumps(content))
        for source in (content, tmp_path / name):
            assert GivenProposals(source)("photos/a.jpg").tolist() == BOXES
    assert GivenProposals(coco)("b.jpg").shape == (0, 4)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([[1, 2, 3]], r"got \[\[1, 2, 3\]\]"),
        ([1, 2, 3, 4], "x0, y0, x1, y1"),
        ([[5, 5, 1, 9]], "x0 < x1"),
        ([[0, 0, float("nan"), 1]], "nan"),
        ({"a.jpg": "x"}, "boxes of a.jpg"),
        (7, "got 7"),
        ("missing.json", "no such file of proposals: missing.json"),
    ],
)
def test_wrong_boxes_are_named(source, words):
    with pytest.raises(ValueError, match=words):
        GivenProposals(source)


def test_unknown_picture():
    with pytest.raises(ValueError, match=r"no boxes for x/b\.jpg, only for a\.jpg"):
        GivenProposals({"a.jpg": BOXES})("x/b.jpg")
