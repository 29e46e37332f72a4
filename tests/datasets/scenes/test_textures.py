import numpy as np
import pytest

from ovdense.datasets.scenes.textures import SKY_LIKE, STUFF, TEXTURES, TextureBank, colour_ramp, fractal_noise


@pytest.mark.parametrize("name", STUFF)
@pytest.mark.parametrize("size", [64, 224])
def test_every_texture_is_an_image_with_structure(name, size):
    image = np.clip(TEXTURES[name](np.random.default_rng(0), size), 0, 255)
    assert image.shape == (size, size, 3)
    assert image.std() > 1


def test_bank_does_not_depend_on_the_order_of_use():
    forward, backward = TextureBank(variants=2, seed=5, size=64), TextureBank(variants=2, seed=5, size=64)
    pairs = [(kind, variant) for kind in range(3) for variant in range(2)]
    first = [forward.get(*pair) for pair in pairs]
    second = [backward.get(*pair) for pair in reversed(pairs)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], TextureBank(variants=2, seed=6, size=64).get(0, 0))


def test_skies_are_textures():
    assert set(SKY_LIKE) <= set(STUFF)


def test_colour_ramp_is_piecewise_linear():
    colours = [(0, 0, 0), (100, 0, 0), (100, 200, 0)]
    values = np.array([[-1.0, 0.0, 0.25], [0.5, 0.75, 2.0]])
    expected = [[(0, 0, 0), (0, 0, 0), (50, 0, 0)], [(100, 0, 0), (100, 100, 0), (100, 200, 0)]]
    assert np.allclose(colour_ramp(values, colours), expected)


def test_fractal_noise_spans_zero_to_one():
    noise = fractal_noise(np.random.default_rng(0), 50)
    assert noise.min() == 0
    assert noise.max() == pytest.approx(1, abs=1e-4)
