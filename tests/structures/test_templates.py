import pytest

from ovdense.structures import resolve_templates, template_names
from ovdense.structures.templates import fill


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
    templates = resolve_templates(name)
    assert len(set(templates)) == count and templates[0] == first


@pytest.mark.parametrize("name", template_names())
def test_every_shipped_template_holds_one_place(name):
    assert resolve_templates(list(resolve_templates(name))) == resolve_templates(name)


def test_own_templates():
    assert resolve_templates("a {} at night") == ("a {} at night",)
    assert resolve_templates(["a {}", "{} {x}"]) == ("a {}", "{} {x}")
    assert resolve_templates(None) == ()


@pytest.mark.parametrize(
    ("templates", "error", "message"),
    [
        ("imagenet", ValueError, "imagenet-80.*got 'imagenet'"),
        ([], ValueError, "at least one"),
        (["a {}", "a photo"], ValueError, "exactly one '{}', got 'a photo' at position 1"),
        (["{} and {}"], ValueError, "got '{} and {}' at position 0"),
        ([3], TypeError, "got 3 at position 0"),
    ],
)
def test_bad_templates(templates, error, message):
    with pytest.raises(error, match=message):
        resolve_templates(templates)


def test_braces_of_a_name_stay():
    assert fill("a {}.", "{x} {0}") == "a {x} {0}."
