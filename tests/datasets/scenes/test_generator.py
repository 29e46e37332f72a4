import numpy as np
import pytest

from ovdense.datasets.scenes.generator import IGNORE_LABEL, SceneGenerator
from ovdense.datasets.scenes.textures import STUFF


@pytest.fixture(scope="module")
def scenes():
    generator = SceneGenerator(seed=3, texture_seed=2, texture_variants=1)
    return [generator[index] for index in range(60)]


def same(a, b) -> bool:
    arrays = all(np.array_equal(getattr(a, key), getattr(b, key)) for key in ("image", "semantic", "instances"))
    return arrays and (a.objects, a.stuff, a.caption) == (b.objects, b.stuff, b.caption)


def test_a_scene_depends_on_seed_and_index_only():
    options = dict(texture_variants=1, texture_seed=2)
    first = [SceneGenerator(seed=7, **options)[index] for index in (0, 1, 2)]
    again = SceneGenerator(seed=7, **options)
    assert all(same(first[index], again[index]) for index in (2, 0, 1))
    assert not same(first[0], first[1])
    assert not same(first[0], SceneGenerator(seed=8, **options)[0])


def test_labels_boxes_and_names_agree(scenes):
    for scene in scenes:
        for item in scene.objects:
            mask = scene.instances == item.instance_id
            rows, columns = np.nonzero(mask)
            assert item.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            expected = IGNORE_LABEL if item.ignored else scene.labels.index(item.name)
            assert (scene.semantic[mask] == expected).all()
            assert 0 < item.visible <= 1
            assert item.ignored or item.visible >= 0.35
        outside = scene.semantic[scene.instances == 0]
        assert {scene.labels[label] for label in np.unique(outside)} <= set(STUFF)
        assert set(scene.names) <= set(scene.words)
        for name in scene.names:
            assert scene.labels.index(name) in scene.semantic


def test_pictures_keep_the_statistics_that_the_embedded_models_were_trained_on(scenes):
    """Averages over scenes: 1 to 4 objects, which cover about a quarter of the picture; few are ignored."""
    objects = [item for scene in scenes for item in scene.objects]
    assert 2 < len(objects) / len(scenes) < 3
    assert 0.12 < np.mean([(scene.instances > 0).mean() for scene in scenes]) < 0.35
    assert np.mean([item.ignored for item in objects]) < 0.15
    assert 90 < np.mean([scene.image.mean() for scene in scenes]) < 160


def test_semantic_as_renumbers_and_ignores_the_rest(scenes):
    scene = next(scene for scene in scenes if scene.stuff and any(not item.ignored for item in scene.objects))
    name, stuff = scene.names[0], scene.stuff[0]
    labels = scene.semantic_as([stuff, "unicorn", name])
    assert ((labels == 0) == (scene.semantic == scene.labels.index(stuff))).all()
    assert ((labels == 2) == (scene.semantic == scene.labels.index(name))).all()
    assert set(np.unique(labels)) <= {0, 2, IGNORE_LABEL}


def test_only_wanted_classes_styles_and_counts_appear():
    generator = SceneGenerator(classes=["dog", "bus"], styles=["noto"], num_objects=(2, 2), texture_variants=1)
    objects = [item for index in range(15) for item in generator[index].objects]
    assert {item.name for item in objects} == {"dog", "bus"}
    assert {item.style for item in objects} == {"noto"}
    assert max(len(generator[index].objects) for index in range(15)) == 2


@pytest.mark.parametrize("size", [48, (60, 140), 192])
def test_any_size(size):
    scene = SceneGenerator(size=size, texture_variants=1)[1]
    height, width = (size, size) if isinstance(size, int) else size
    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.uint8
    assert scene.semantic.shape == scene.instances.shape == (height, width)


def test_large_scenes_show_large_objects():
    widths = [
        np.mean([box[2] - box[0] for index in range(12) for box in (o.box for o in generator[index].objects)])
        for generator in (SceneGenerator(texture_variants=1), SceneGenerator(size=288, texture_variants=1))
    ]
    assert widths[1] / widths[0] == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(size=8), "8 x 8"),
        (dict(styles=["oil"]), "oil"),
        (dict(classes=["unicorn"]), "unicorn"),
        (dict(classes=[]), "no class"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises((ValueError, KeyError), match=message):
        SceneGenerator(**options)
