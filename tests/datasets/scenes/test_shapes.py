import numpy as np
import pytest

from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.shapes import (
    COLOURS,
    PATTERNS,
    SHAPE_STYLE,
    SHAPES,
    composition_names,
    composition_parts,
    composition_sprite,
    is_held_out,
)


def test_a_fifth_is_held_out_and_every_part_is_seen():
    seen, held_out = composition_names("seen"), composition_names("held-out")
    assert (len(seen), len(held_out), len(composition_names())) == (240, 60, 300)
    for group in (seen, held_out):
        shapes, colours, patterns = (set(column) for column in zip(*map(composition_parts, group)))
        assert (shapes, colours, patterns) == (set(SHAPES), set(COLOURS), set(PATTERNS))
    assert is_held_out("red circle") and is_held_out("red striped circle") and not is_held_out("orange circle")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sprite_shows_its_shape_in_its_colour(shape):
    sprite = composition_sprite(f"blue {shape}", 96)
    assert sprite.shape == (96, 96, 4) and sprite.dtype == np.uint8
    opaque = sprite[..., 3] == 255
    assert 0.2 < opaque.mean() < 0.75
    assert 0 < ((sprite[..., 3] > 0) & ~opaque).sum() < 1000  # smooth edges
    assert (np.median(sprite[opaque][:, :3], 0) == COLOURS["blue"]).all()
    assert sprite[0, 0].tolist() == [0, 0, 0, 0]


def test_a_square_covers_its_area():
    # corners at 0.76 of the half side: 0.76^2 of the area
    assert (composition_sprite("red square", 128)[..., 3] / 255).mean() == pytest.approx(0.5776, abs=0.01)


@pytest.mark.parametrize("pattern, share", [("striped", 0.45), ("dotted", 0.2463)])
def test_patterns_mix_in_a_second_colour(pattern, share):
    """Stripes fill 0.45 of a period; a dot has the radius 0.28 in a cell of 1 x 1: 0.2463."""
    inner = composition_sprite(f"red {pattern} square", 256)[40:-40, 40:-40, :3]
    assert (inner[..., 1] > 140).mean() == pytest.approx(share, abs=0.02)


def test_generator_mixes_the_wanted_share():
    generator = SceneGenerator(
        classes=["dog"], compositions=dict(share=0.25, group="seen"), num_objects=(4, 4), texture_variants=1
    )
    scenes = [generator[index] for index in range(100)]
    objects = [item for scene in scenes for item in scene.objects]
    shapes = [item for item in objects if item.style == SHAPE_STYLE]
    assert len(shapes) / len(objects) == pytest.approx(0.25, abs=0.06)
    assert not any(is_held_out(item.name) for item in shapes)
    for scene in scenes:
        for item in scene.objects:
            if not item.ignored:
                assert scene.labels[scene.semantic[scene.instances == item.instance_id][0]] == item.name


def test_compositions_are_classes_too():
    generator = SceneGenerator(classes=["red star", "dog"], styles=["noto"], texture_variants=1)
    assert {item.name for index in range(12) for item in generator[index].objects} == {"red star", "dog"}


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        SceneGenerator(compositions=dict(share=2))
    with pytest.raises(ValueError, match="novel"):
        composition_names("novel")
    with pytest.raises(KeyError, match="red dog"):
        composition_sprite("red dog")
