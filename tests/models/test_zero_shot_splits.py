"""Splits by name: sizes, members and errors."""

import pytest

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.models.zero_shot_splits import load_split, split_names

# 0-based places in mmseg's class lists, as the repositories' configs have them.
PLACES = {
    "voc-15-5": [15, 16, 17, 18, 19],
    "coco-stuff-156-15": [19, 23, 28, 29, 36, 51, 76, 88, 94, 112, 133, 136, 137, 157, 160],
    "context-49-10": [0, 6, 7, 14, 19, 24, 31, 33, 48, 54],
}


@pytest.mark.parametrize("name", sorted(PLACES))
def test_places_are_those_of_the_official_configs(name):
    split = load_split(name)
    groups = split.groups()
    assert groups["unseen"] == PLACES[name]
    seen, unseen = map(int, name.split("-")[-2:])
    assert (len(groups["seen"]), len(groups["unseen"])) == (seen, unseen)
    vocabulary = load_vocabulary(split.vocabulary)
    assert list(vocabulary.group("unseen")) == PLACES[name]  # the vocabulary's groups say the same


def test_unseen_n_are_pairs_that_add_up():
    sizes = {name: load_split(name).unseen for name in split_names() if "-unseen-" in name}
    assert sorted(map(len, sizes.values())) == [2, 4, 6, 8, 10]
    assert sizes["voc-unseen-4"] == ("cow", "motorbike", "aeroplane", "sofa")
    assert sizes["voc-unseen-10"][:8] == sizes["voc-unseen-8"]


def test_a_background_is_seen_and_names_of_your_own_work():
    groups = load_split("voc-15-5").groups(load_vocabulary("voc-21").classes)
    assert groups["unseen"] == [16, 17, 18, 19, 20] and groups["seen"][0] == 0
    assert load_split(["b"]).groups(["a", "b", "c"]) == dict(seen=[0, 2], unseen=[1])
    assert load_split(load_split("voc-15-5")).name == "voc-15-5"


def test_mistakes():
    with pytest.raises(ValueError, match=r"context-49-10.*got 'voc-10-10'"):
        load_split("voc-10-10")
    with pytest.raises(ValueError, match="holds back b, which are not among the 1 classes a"):
        load_split(["b"]).groups(["a"])
    with pytest.raises(ValueError, match="has no vocabulary"):
        load_split(["b"]).groups()
    with pytest.raises(ValueError, match="at least one unseen class, each once"):
        load_split(["b", "b"])
