import pytest

from ovdense.structures import parse_templates
from ovdense.structures.templates import fill


def test_own_templates():
    assert parse_templates("a {} at night") == ("a {} at night",)
    assert parse_templates(["a {}", "{} {x}"]) == ("a {}", "{} {x}")
    assert parse_templates(None) == ()


@pytest.mark.parametrize(
    ("templates", "error", "message"),
    [
        ("vild", ValueError, "load_templates reads the named lists, got 'vild'"),
        ([], ValueError, "at least one"),
        (["a {}", "a photo"], ValueError, "exactly one '{}', got 'a photo' at position 1"),
        (["{} and {}"], ValueError, "got '{} and {}' at position 0"),
        ([3], TypeError, "got 3 at position 0"),
    ],
)
def test_bad_templates(templates, error, message):
    with pytest.raises(error, match=message):
        parse_templates(templates)


def test_braces_of_a_name_stay():
    assert fill("a {}.", "{x} {0}") == "a {x} {0}."
