import json

import pytest

from ovdense.structures import Background, Vocabulary, vocabulary_names

parse = Vocabulary.parse


@pytest.mark.parametrize(
    ("source", "classes", "phrases"),
    [
        (["cat", "dog"], ("cat", "dog"), (("cat",), ("dog",))),
        (("cat",), ("cat",), (("cat",),)),
        ([["person", "man", "woman"], "dog"], ("person", "dog"), (("person", "man", "woman"), ("dog",))),
        ({"a tabby": "cat", "car": "vehicle", "kitten": "cat"}, ("cat", "vehicle"), (("a tabby", "kitten"), ("car",))),
        ({"animal": ["cat", "dog"], "sky": ["sky"]}, ("animal", "sky"), (("cat", "dog"), ("sky",))),
        ({1: "dog", 0: "cat"}, ("cat", "dog"), (("cat",), ("dog",))),
        ({"0": "cat", "1": ["dog", "puppy"]}, ("cat", "dog"), (("cat",), ("dog", "puppy"))),
        ("cat, dog ,  sky", ("cat", "dog", "sky"), (("cat",), ("dog",), ("sky",))),
        ("cat, dog,", ("cat", "dog"), (("cat",), ("dog",))),
        ("person, man; dog", ("person", "dog"), (("person", "man"), ("dog",))),
        ("person, man\ndog", ("person", "dog"), (("person", "man"), ("dog",))),
        ("  traffic \t light ", ("traffic light",), (("traffic light",),)),
        (["猫", "Straße", "crème brûlée", "🦊"], ("猫", "Straße", "crème brûlée", "🦊"), None),
        ([["cat", "cat", "kitten"]], ("cat",), (("cat", "kitten"),)),
    ],
)
def test_parse(source, classes, phrases):
    vocabulary = parse(source)
    assert vocabulary.classes == classes
    assert vocabulary.phrases == (phrases or tuple((name,) for name in classes))


def test_generator_of_names():
    assert parse(name for name in ("cat", "dog")).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([], ValueError, "at least one class name"),
        ("", ValueError, "at least one class name"),
        ({}, ValueError, "at least one class name"),
        (["cat", " \t"], ValueError, r"class name 1 is empty.*got ' \\t'"),
        ("cat,,dog", ValueError, "class name 1 is empty"),
        (["cat", 3], TypeError, r"class name 1 has to be a string, got 3 \(int\)"),
        (["cat", None], TypeError, "class name 1 .*got None"),
        (["cat", []], ValueError, "class 1 has no name"),
        ({"cat": []}, ValueError, "class 'cat' at position 0 has no phrase"),
        ({"cat": 3}, TypeError, "class of phrase 'cat' at position 0"),
        ({1: "cat", 2: "dog"}, ValueError, r"indices 0\.\.1, got \[1, 2\]"),
        ({"cat", "dog"}, TypeError, "pass a list, got a set of 2"),
        (5, TypeError, "a vocabulary is a list of names.*got 5"),
        (None, TypeError, "got None"),
        (b"cat", TypeError, "got b'cat'"),
        ("nowhere/names.txt", FileNotFoundError, "nowhere/names.txt"),
        ({"classes": ["cat"], "colour": []}, ValueError, "got also .'colour'"),
        ({"categories": [{"id": 1}]}, ValueError, "COCO category needs a name, got .'id': 1. at position 0"),
    ],
)
def test_bad_sources_are_named(source, error, message):
    with pytest.raises(error, match=message):
        parse(source)


def test_duplicate_names_are_an_error_that_says_where_and_what_to_do():
    with pytest.raises(ValueError, match=r"duplicates='keep'.*got 'cat' at \[0, 2\]"):
        parse(["cat", "dog", "Cat"])
    with pytest.raises(ValueError, match=r"phrase.*'man' at \[0, 1\]"):
        parse([["person", "man"], ["rider", "man"]])
    kept = parse(["cat", "dog", "cat"], duplicates="keep")
    assert kept.classes == ("cat", "dog", "cat") and kept.class_index == (0, 1, 2)
    with pytest.raises(ValueError, match="got 'drop'"):
        parse(["cat"], duplicates="drop")


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
    assert parse(path, separator=separator).phrases == phrases
    assert parse(str(path), separator=separator).phrases == phrases


@pytest.mark.parametrize(
    ("content", "message"),
    [("cat\n\ndog\n", "class name 1 is empty"), ("", "at least one class name"), ("cat\ncat\n", "duplicates='keep'")],
)
def test_bad_text_files(tmp_path, content, message):
    path = tmp_path / "names.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        parse(path)


def test_json_files(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('["cat", ["dog", "puppy"]]')
    assert parse(path).phrases == (("cat",), ("dog", "puppy"))
    path.write_text('{"kitten": "cat"}')
    assert parse(path).classes == ("cat",)
    path.write_text("{cat}")
    with pytest.raises(ValueError, match=r"names\.json.*line 1"):
        parse(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        parse(path)


def test_coco_json_is_read_in_id_order_with_things_and_stuff(tmp_path):
    path = tmp_path / "instances.json"
    categories = [
        {"id": 7, "name": "sky", "supercategory": "sky", "isthing": 0},
        {"id": 1, "name": "person", "supercategory": "person", "isthing": 1},
    ]
    path.write_text(json.dumps(dict(images=[], annotations=[], categories=categories)))
    vocabulary = parse(path)
    assert vocabulary.classes == ("person", "sky")
    assert vocabulary.groups == {"thing": (0,), "stuff": (1,)}


def test_phrases_and_their_classes():
    vocabulary = parse([["person", "man"], "dog"])
    assert vocabulary.num_classes == 2 and vocabulary.num_phrases == 3
    assert vocabulary.flat_phrases == ("person", "man", "dog")
    assert vocabulary.class_index == (0, 0, 1)
    assert vocabulary.background_index is None


def test_groups_by_name_and_index():
    vocabulary = parse(["cat", "dog", "sky"], groups=dict(base=["cat", 1], novel=["sky"]))
    assert vocabulary.groups == {"base": (0, 1), "novel": (2,)}
    assert vocabulary.group("novel") == (2,)
    with pytest.raises(ValueError, match=r"base.*novel.*got 'thing'"):
        vocabulary.group("thing")


@pytest.mark.parametrize("member", ["cow", 3, -1, True, 1.0])
def test_bad_group_members(member):
    with pytest.raises(ValueError, match=f"group 'base' .*got {member!r}"):
        parse(["cat", "dog", "sky"], groups=dict(base=[member]))


@pytest.mark.parametrize(
    ("background", "policy", "threshold", "names"),
    [
        ("objectness", "objectness", None, ()),
        (0.4, "threshold", 0.4, ()),
        (["wall", "floor"], "names", None, ("wall", "floor")),
        (dict(policy="names", names=["wall"], threshold=0.1), "names", 0.1, ("wall",)),
        (Background(policy="threshold", threshold=1), "threshold", 1, ()),
    ],
)
def test_background_policies_add_a_class_in_front(background, policy, threshold, names):
    vocabulary = parse(["cat", "dog"], groups=dict(base=["dog"]), background=background)
    assert vocabulary.background == Background(policy=policy, threshold=threshold, names=names)
    assert vocabulary.classes == ("background", "cat", "dog")
    assert vocabulary.phrases == (names, ("cat",), ("dog",))
    assert vocabulary.background_index == 0
    assert vocabulary.groups == {"base": (2,)}
    assert vocabulary.palette[0] == [0, 0, 0]


def test_a_background_class_of_the_source_stays_where_it_is():
    vocabulary = parse(["cat", "background"], background=["wall", "floor"])
    assert vocabulary.classes == ("cat", "background") and vocabulary.background_index == 1
    assert vocabulary.phrases[1] == ("wall", "floor")
    assert parse(["cat", "background"], background="names").phrases[1] == ("background",)


def test_background_policy_can_be_taken_back():
    plain = parse(["cat", "dog"], groups=dict(base=["dog"]))
    assert plain.with_background(0.3).with_background("none") == plain
    assert plain.background.policy == "none"


@pytest.mark.parametrize(
    ("background", "message"),
    [
        ("threshold", "needs a threshold"),
        (1.5, r"\[0, 1\], got 1.5"),
        ("sky", "policy is one of none, threshold, names, objectness, got 'sky'"),
        ("names", "'names' needs names"),
        ([""], "background name 0 is empty"),
        (dict(policy="none", names=["wall"]), "go with the policy 'names'"),
    ],
)
def test_bad_backgrounds(background, message):
    with pytest.raises(ValueError, match=message):
        parse(["cat"], background=background)


def test_templates():
    vocabulary = parse(["cat"])
    assert vocabulary.templates == ()
    assert vocabulary.with_templates("single").templates == ("a photo of a {}.",)
    assert parse(["cat"], templates="a {} in the sun").templates == ("a {} in the sun",)
    assert parse(vocabulary.with_templates("plain")).templates == ("{}",)


def test_json_round_trip_and_digest():
    vocabulary = parse([["person", "man"], "猫"], templates="vild", groups=dict(base=[1]), background=["wall"])
    again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert again == vocabulary and again.digest == vocabulary.digest and hash(again) == hash(vocabulary)
    assert parse(vocabulary.to_dict()) == vocabulary
    others = [
        parse([["person", "man"], "犬"], templates="vild", groups=dict(base=[1]), background=["wall"]),
        vocabulary.with_templates("single"),
        vocabulary.with_background(["floor"]),
        parse(vocabulary, groups=dict(base=[1])),
    ]
    assert len({vocabulary.digest, *(other.digest for other in others)}) == 5


def test_ten_thousand_classes():
    vocabulary = parse([f"name {index}" for index in range(10_000)])
    assert vocabulary.num_phrases == 10_000
    assert len({tuple(color) for color in vocabulary.palette}) == 10_000
    assert len(vocabulary.digest) == 16 and vocabulary.class_index[-1] == 9_999


def test_a_very_long_name_is_kept_whole():
    assert parse(["x" * 100_000]).classes[0] == "x" * 100_000


@pytest.mark.parametrize("name", vocabulary_names())
def test_shipped_vocabularies(name):
    vocabulary = parse(name)
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
        ("lvis-1203", "aerosol_can", "zucchini", {}),
        ("imagenet-1000", "tench", "toilet paper", {}),
    ],
)
def test_order_and_groups_of_the_benchmarks(name, first, last, groups):
    vocabulary = parse(name)
    assert (vocabulary.classes[0], vocabulary.classes[-1]) == (first, last)
    assert {group: len(members) for group, members in vocabulary.groups.items()} == groups


def test_phrases_of_the_benchmarks_read_as_a_person_writes():
    def phrases(name):
        vocabulary = parse(name)
        return dict(zip(vocabulary.classes, vocabulary.phrases))

    assert phrases("voc-20")["pottedplant"] == ("potted plant",)
    assert phrases("coco-133")["sky-other-merged"] == ("sky",)
    assert phrases("coco-stuff-171")["wall-brick"] == ("brick wall",)
    assert phrases("lvis-1203")["bow_(weapon)"] == ("bow (weapon)",)
    assert phrases("voc-21")["background"][:2] == ("sky", "wall")


def test_a_misspelt_shipped_name_warns():
    with pytest.warns(UserWarning, match="'coco80' is taken as a class name.*'coco-80'"):
        assert parse("coco80").classes == ("coco80",)
