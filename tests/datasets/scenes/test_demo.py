import numpy as np

from ovdense.datasets.scenes import demo_scene


def test_demo_scene_shows_the_same_things_at_every_size():
    large, small = demo_scene(), demo_scene((96, 128))
    assert large.image.shape == (288, 384, 3)
    assert large.names == small.names == ("pig", "tent", "cookie", "sky", "foliage")
    assert [item.ignored for item in large.objects] == [False] * 3
    agreement = (large.semantic[1::3, 1::3] == small.semantic).mean()
    assert agreement > 0.97
    assert np.array_equal(large.image, demo_scene().image)
