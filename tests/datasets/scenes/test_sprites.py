import pytest

from ovdense.datasets.scenes.sprites import SpriteAtlas, load_atlas


def test_atlas_holds_every_class_in_at_least_three_styles():
    atlas = load_atlas()
    assert len(atlas.classes) == 151
    assert set(atlas.styles) == {"noto", "noto-v1", "fluent-emoji-flat", "fluent-emoji", "fxemoji"}
    assert min(len(atlas.styles_of(name)) for name in atlas.classes) >= 3


def test_every_sprite_is_opaque_somewhere_and_transparent_somewhere():
    atlas = SpriteAtlas()
    for name in atlas.classes:
        for style in atlas.styles_of(name):
            sprite = atlas.get(name, style)
            assert sprite.shape == (128, 128, 4)
            assert 0.05 < (sprite[..., 3] > 128).mean() < 1, (name, style)


def test_colours_are_rgb():
    red, _, blue = load_atlas().get("tomato", "noto")[64, 64, :3].tolist()
    assert red > 150 > blue


def test_unknown_class_and_style_are_named():
    with pytest.raises(KeyError, match="unicorn"):
        load_atlas().get("unicorn", "noto")
    with pytest.raises(KeyError, match="oil"):
        load_atlas().get("dog", "oil")
