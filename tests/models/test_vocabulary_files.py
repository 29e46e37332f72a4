"""Vocabularies and templates from files and by shipped names."""

import json

import pytest

from ovdense.models.vocabulary_files import load_templates, load_vocabulary, template_names, vocabulary_names
from ovdense.structures import Vocabulary


@pytest.mark.parametrize(
    "source",
    [["cat", ["dog", "puppy"]], {"cat": ["cat"], "dog": ["dog", "puppy"]}, "cat; dog, puppy", "cat\ndog, puppy"],
)
def test_sources_in_memory_are_those_of_parse(source):
    vocabulary = load_vocabulary(source, background=["wall"], groups=dict(base=["cat"]))
    assert vocabulary == Vocabulary.parse(source, background=["wall"], groups=dict(base=["cat"]))
    assert load_vocabulary(vocabulary) is vocabulary


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere/names\.txt"):
        load_vocabulary("nowhere/names.txt")


@pytest.mark.parametrize("source", ["", 5, None, b"cat"])
def test_bad_sources(source):
    with pytest.raises((ValueError, TypeError), match=f"got {source!r}"):
        load_vocabulary(source)


@pytest.mark.parametrize(
    ("text", "separator", "phrases"),
    [
        ("cat\ndog\n\n", None, (("cat",), ("dog",))),
        ("person, man\ndog\n", None, (("person", "man"), ("dog",))),
        # One semicolon anywhere makes the comma an ordinary character.
        ("person; man\nlamp, lit\n", None, (("person", "man"), ("lamp, lit",))),
        ("person, man\ndog\n", "", (("person, man",), ("dog",))),
        ("a|b\nc\n", "|", (("a", "b"), ("c",))),
        ("\ufeffcat\r\ndog\r\n", None, (("cat",), ("dog",))),
    ],
)
def test_text_files(tmp_path, text, separator, phrases):
    path = tmp_path / "names.txt"
    path.write_bytes(text.encode())
    assert load_vocabulary(path, separator=separator).phrases == phrases
    assert load_vocabulary(str(path), separator=separator).phrases == phrases


@pytest.mark.parametrize(
    ("content", "message"),
    [("cat\n\ndog\n", "class name 1 is empty"), ("", "at least one class name"), ("cat\ncat\n", "duplicates='keep'")],
)
def test_bad_text_files(tmp_path, content, message):
    path = tmp_path / "names.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load_vocabulary(path)


def test_json_files(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('["cat", ["dog", "puppy"]]')
    assert load_vocabulary(path).phrases == (("cat",), ("dog", "puppy"))
    path.write_text('{"kitten": "cat"}')
    assert load_vocabulary(path).classes == ("cat",)
    path.write_text("{cat}")
    with pytest.raises(ValueError, match=r"names\.json.*line 1"):
        load_vocabulary(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        load_vocabulary(path)


def test_coco_json_is_read_in_id_order_with_things_and_stuff(tmp_path):
    path = tmp_path / "instances.json"
    categories = [
        {"id": 7, "name": "sky", "supercategory": "sky", "isthing": 0},
        {"id": 1, "name": "person", "supercategory": "person", "isthing": 1},
    ]
    path.write_text(json.dumps(dict(images=[], annotations=[], categories=categories)))
    vocabulary = load_vocabulary(path)
    assert vocabulary.classes == ("person", "sky")
    assert vocabulary.groups == {"thing": (0,), "stuff": (1,)}


@pytest.mark.parametrize("name", vocabulary_names())
def test_parse_leaves_shipped_names_to_load_vocabulary(name):
    with pytest.raises(ValueError, match="load_vocabulary"):
        Vocabulary.parse(name)


@pytest.mark.parametrize("name", vocabulary_names())
def test_shipped_vocabularies(name):
    vocabulary = load_vocabulary(name)
    count = name.rsplit("-", 1)[-1]
    assert vocabulary.num_classes == int(count)
    assert len({tuple(color) for color in vocabulary.palette}) == vocabulary.num_classes
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


@pytest.mark.parametrize(
    ("name", "first", "last", "groups"),
    [
        ("coco-80", "person", "toothbrush", dict(base=48, novel=17)),
        ("coco-object-81", "background", "toothbrush", {}),
        ("coco-133", "person", "rug-merged", dict(thing=80, stuff=53)),
        ("coco-stuff-171", "person", "wood", dict(thing=80, stuff=91, seen=156, unseen=15)),
        ("ade20k-150", "wall", "flag", {}),
        ("voc-20", "aeroplane", "tvmonitor", dict(seen=15, unseen=5)),
        ("voc-21", "background", "tvmonitor", {}),
        ("pascal-context-59", "aeroplane", "wood", dict(seen=49, unseen=10)),
        ("pascal-context-60", "background", "wood", {}),
        ("cityscapes-19", "road", "bicycle", dict(thing=8, stuff=11)),
        ("camvid-11", "sky", "bicyclist", {}),
        ("coco-65", "person", "toothbrush", dict(base=48, novel=17)),
        ("coco-48", "person", "toothbrush", dict(base=48)),
        ("coco-17", "airplane", "scissors", dict(novel=17)),
        ("lvis-1203", "aerosol_can", "zucchini", dict(base=866, novel=337, frequent=405, common=461, rare=337)),
        ("imagenet-1000", "tench", "toilet paper", {}),
    ],
)
def test_order_and_groups_of_the_benchmarks(name, first, last, groups):
    vocabulary = load_vocabulary(name)
    assert (vocabulary.classes[0], vocabulary.classes[-1]) == (first, last)
    assert {group: len(members) for group, members in vocabulary.groups.items()} == groups


def test_phrases_of_the_benchmarks_read_as_a_person_writes():
    def phrases(name):
        vocabulary = load_vocabulary(name)
        return dict(zip(vocabulary.classes, vocabulary.phrases))

    assert phrases("voc-20")["pottedplant"] == ("potted plant",)
    assert phrases("coco-133")["sky-other-merged"] == ("sky",)
    assert phrases("coco-stuff-171")["wall-brick"] == ("brick wall",)
    assert phrases("lvis-1203")["bow_(weapon)"] == ("bow (weapon)",)
    assert phrases("voc-21")["background"][:2] == ("sky", "wall")


def test_a_misspelt_shipped_name_warns():
    with pytest.warns(UserWarning, match="'coco80' is taken as a class name.*'coco-80'"):
        assert load_vocabulary("coco80").classes == ("coco80",)


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("plain", 1, "{}"),
        ("single", 1, "a photo of a {}."),
        ("simple-7", 7, "itap of a {}."),
        ("vild", 14, "a photo of a {}."),
        ("imagenet-80", 80, "a bad photo of a {}."),
        ("scenes-5", 5, "a photo of a {}."),
    ],
)
def test_shipped_lists(name, count, first):
    templates = load_templates(name)
    assert len(set(templates)) == count and templates[0] == first


@pytest.mark.parametrize("name", template_names())
def test_every_shipped_template_holds_one_place(name):
    assert load_templates(list(load_templates(name))) == load_templates(name)


def test_templates_of_ones_own():
    assert load_templates("a {} at night") == ("a {} at night",)
    assert load_templates(["a {}", "{} {x}"]) == ("a {}", "{} {x}")
    assert load_templates(None) == ()
    with pytest.raises(ValueError, match=r"imagenet-80.*got 'imagenet'"):
        load_templates("imagenet")


def test_named_templates_of_an_argument_and_of_a_file(tmp_path):
    assert load_vocabulary("cat, dog", templates="vild").templates == load_templates("vild")
    assert load_vocabulary(["cat"], templates=["a {}"]).templates == ("a {}",)
    path = tmp_path / "names.json"
    path.write_text('{"classes": ["cat"], "templates": "single"}')
    assert load_vocabulary(path).templates == ("a photo of a {}.",)
    assert load_vocabulary(path, templates="plain").templates == ("{}",)
    assert load_vocabulary(dict(classes=["cat"], templates="plain")).templates == ("{}",)
