import numpy as np
import pytest

from ovdense.datasets.scenes import FixedScenes, ScenesDetDataset, ScenesSegDataset, fixed_names, load_fixed_scenes
from ovdense.datasets.scenes.fixed import FIXED, write_fixed_scenes
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.sprites import HELD_OUT_STYLE


def test_what_is_shipped():
    sizes = {name: len(load_fixed_scenes(name)) for name in fixed_names()}
    assert sizes == dict(base=46, composition=28, full=56, style=28, synonyms=36, unseen=28)
    assert sum(path.stat().st_size for path in FIXED.iterdir()) < 3_500_000


@pytest.mark.parametrize("name", fixed_names())
def test_labels_instances_and_boxes_agree(name):
    scenes = load_fixed_scenes(name)
    for index in range(len(scenes)):
        scene = scenes[index]
        for item in scene.objects:
            mask = scene.instances == item.instance_id
            rows, columns = np.nonzero(mask)
            assert item.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert (scene.semantic[mask] == (255 if item.ignored else scene.labels.index(item.name))).all()
            assert (item.style == HELD_OUT_STYLE) == (name == "style")


def test_scenes_survive_writing(tmp_path):
    generator = SceneGenerator(seed=9, texture_variants=1, size=(40, 60))
    scenes = [generator[index] for index in range(11)]
    write_fixed_scenes("few", scenes, tmp_path)
    read = FixedScenes("few", tmp_path)
    assert len(read) == 11
    for index, scene in enumerate(scenes):
        assert np.abs(read[index].image.astype(int) - scene.image).max() <= 2  # 64 levels a channel
        assert np.array_equal(read[index].semantic_as(scene.labels), scene.semantic)
        assert [item.box for item in read[index].objects] == [item.box for item in scene.objects]


def test_datasets_take_them():
    segmentation = ScenesSegDataset(fixed="base", pipeline=[], test_mode=True)
    assert len(segmentation) == 46 and len(ScenesSegDataset(fixed="base", num_scenes=5, pipeline=[])) == 5
    assert np.array_equal(segmentation[3]["img"][..., ::-1], load_fixed_scenes("base")[3].image)
    assert len(ScenesDetDataset(fixed="full", pipeline=[])[0]["instances"]) == len(load_fixed_scenes("full")[0].objects)


def test_unknown_names_and_indices():
    with pytest.raises(ValueError, match=r"base, composition.*got 'photos'"):
        load_fixed_scenes("photos")
    with pytest.raises(IndexError, match="46"):
        load_fixed_scenes("base")[46]
