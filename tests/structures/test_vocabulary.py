import json

import pytest

from ovdense.structures import Background, Vocabulary

parse = Vocabulary.parse
TEMPLATES = ["a {}.", "There is a {} in the scene."]


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
        ({"classes": ["cat"], "colour": []}, ValueError, "got also .'colour'"),
        ({"categories": [{"id": 1}]}, ValueError, "COCO category needs a name, got .'id': 1. at position 0"),
    ],
)
def test_bad_sources_are_named(source, error, message):
    with pytest.raises(error, match=message):
        parse(source)


@pytest.mark.parametrize("source", ["names.txt", " folder/Names.JSON", "ade20k-150", "scenes-synonyms-53"])
def test_files_and_shipped_names_are_left_to_load_vocabulary(source):
    with pytest.raises(ValueError, match=rf"read by ovdense\.apis\.load_vocabulary.*in a list, got '{source}'"):
        parse(source)
    assert parse([source]).classes == (source.strip(),)


def test_paths_are_left_to_load_vocabulary(tmp_path):
    with pytest.raises(TypeError, match=r"load_vocabulary takes.*got .*names\.txt"):
        parse(tmp_path / "names.txt")


def test_coco_categories_are_read_in_id_order_with_things_and_stuff():
    categories = [dict(id=7, name="sky", isthing=0), dict(id=1, name="person", isthing=1)]
    vocabulary = parse(dict(images=[], annotations=[], categories=categories))
    assert vocabulary.classes == ("person", "sky")
    assert vocabulary.groups == {"thing": (0,), "stuff": (1,)}


@pytest.mark.parametrize(
    ("separator", "phrases"),
    [(None, (("person", "man"), ("dog",))), ("", (("person, man",), ("dog",)))],
)
def test_lines_in_a_string(separator, phrases):
    assert parse("person, man\ndog\n", separator=separator).phrases == phrases


def test_duplicate_names_are_an_error_that_says_where_and_what_to_do():
    with pytest.raises(ValueError, match=r"duplicates='keep'.*got 'cat' at \[0, 2\]"):
        parse(["cat", "dog", "Cat"])
    with pytest.raises(ValueError, match=r"phrase.*'man' at \[0, 1\]"):
        parse([["person", "man"], ["rider", "man"]])
    kept = parse(["cat", "dog", "cat"], duplicates="keep")
    assert kept.classes == ("cat", "dog", "cat") and kept.class_index == (0, 1, 2)
    with pytest.raises(ValueError, match="got 'drop'"):
        parse(["cat"], duplicates="drop")


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
    assert vocabulary.with_templates(["a photo of a {}."]).templates == ("a photo of a {}.",)
    assert parse(["cat"], templates="a {} in the sun").templates == ("a {} in the sun",)
    assert parse(vocabulary.with_templates("{}")).templates == ("{}",)
    with pytest.raises(ValueError, match="load_templates reads the named lists, got 'vild'"):
        parse(["cat"], templates="vild")


def test_json_round_trip_and_digest():
    vocabulary = parse([["person", "man"], "猫"], templates=TEMPLATES, groups=dict(base=[1]), background=["wall"])
    again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert again == vocabulary and again.digest == vocabulary.digest and hash(again) == hash(vocabulary)
    assert parse(vocabulary.to_dict()) == vocabulary
    others = [
        parse([["person", "man"], "犬"], templates=TEMPLATES, groups=dict(base=[1]), background=["wall"]),
        vocabulary.with_templates("a photo of a {}."),
        vocabulary.with_background(["floor"]),
        parse(vocabulary, groups=dict(base=[1])),
    ]
    assert len({vocabulary.digest, *(other.digest for other in others)}) == 5


def test_the_digest_stays_the_same_from_version_to_version():
    vocabulary = parse([["person", "man"], "猫"], templates=TEMPLATES, groups=dict(base=[1]), background=["wall"])
    assert vocabulary.digest == "899c79fd9d140340"


def test_ten_thousand_classes():
    vocabulary = parse([f"name {index}" for index in range(10_000)])
    assert vocabulary.num_phrases == 10_000
    assert len({tuple(color) for color in vocabulary.palette}) == 10_000
    assert len(vocabulary.digest) == 16 and vocabulary.class_index[-1] == 9_999


def test_a_very_long_name_is_kept_whole():
    assert parse(["x" * 100_000]).classes[0] == "x" * 100_000


def test_a_subset_keeps_colours_and_the_background_where_it_is_in():
    whole = Vocabulary.parse(["cat", "dog", "sky"], background=["wall"])
    assert whole.classes == ("background", "cat", "dog", "sky")
    kept, cut = whole.subset([0, 3]), whole.subset([3, 1])
    assert kept.classes == ("background", "sky") and kept.background == whole.background
    assert cut.classes == ("sky", "cat") and cut.background.policy == "none"
    coloured = Vocabulary.from_dict(dict(classes=["a", "b"], colors=[[1, 2, 3], [4, 5, 6]]))
    assert coloured.subset([1]).palette == [[4, 5, 6]]
