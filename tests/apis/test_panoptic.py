"""Panoptic segments from free text: Python API and command line, on a drawn scene and the embedded models."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from ovdense import cli
from ovdense.apis import ConfigError, Detector, PanopticSegmenter, Segmenter, task_of
from ovdense.apis.configs import tasks_of
from ovdense.datasets.panoptic_files import read_segment_ids
from ovdense.datasets.scenes import SceneGenerator
from ovdense.models.vocabulary_files import things_and_stuff


@pytest.fixture(scope="module")
def scene():
    drawn = SceneGenerator(size=(144, 192), num_objects=(2, 3), seed=4321, texture_seed=3)[14]
    things = [name for name in drawn.names if name not in drawn.stuff]
    return drawn, things, [name for name in drawn.names if name in drawn.stuff]


@pytest.fixture(scope="module")
def segmenter():
    return PanopticSegmenter.from_pretrained("scenes", device="cpu")


def test_words_say_which_classes_are_things(segmenter, scene):
    drawn, things, stuff = scene
    image = drawn.image[..., ::-1].copy()
    result = segmenter.set_vocabulary(things=things, stuff=stuff).set_image(image).predict()
    assert result.classes == (*things, *stuff) and result.size == image.shape[:2]
    assert set(np.unique(result.ids)) - {0} == {one["id"] for one in result.segments}
    for one in result.segments:
        assert one["isthing"] == (result.classes[one["label"]] in things)
        assert result.mask(one["id"]).any()
    labels = [one["label"] for one in result.segments if not one["isthing"]]
    assert len(labels) == len(set(labels))  # stuff of a class is one segment
    assert sum(result.counts().values()) + len(labels) == len(result)
    assert abs(sum(result.areas().values()) - np.mean(np.isin(result.ids, [0, *range(99)]) & ~is_thing(result))) < 1e-6
    annotations = result.to_coco()
    assert [int(one["area"]) for one in annotations] == [int(result.mask(one["id"]).sum()) for one in result.segments]
    other = segmenter.set_vocabulary(things="flamingo", stuff=stuff).predict()  # the picture is not encoded again
    assert set(other.counts()) <= {"flamingo"}


def is_thing(result):
    things = [one["id"] for one in result.segments if one["isthing"]]
    return np.isin(result.ids, things) | (result.ids == 0)


def test_vocabularies_of_things_and_stuff():
    vocabulary = things_and_stuff("person, man; dog", "grass")
    assert vocabulary.classes == ("person", "dog", "grass") and vocabulary.phrases[0] == ("person", "man")
    assert vocabulary.group("thing") == (0, 1) and vocabulary.group("stuff") == (2,)
    assert things_and_stuff(stuff="grass").groups == {"stuff": (0,)}
    with pytest.raises(ValueError, match="got neither"):
        things_and_stuff()
    with pytest.raises(ValueError, match="got both"):
        PanopticSegmenter.set_vocabulary(None, "dog", things="cat")


def test_tasks_of_models():
    def config(**model):
        return Config(dict(model=model))

    assert tasks_of(config(type="OpenVocabPanopticDetector")) == ("panoptic", "detection")
    assert task_of(config(type="MAFTPlus", mask_head=dict())) == "panoptic"
    assert set(tasks_of(config(type="MAFTPlus", mask_head=dict()))) == {"panoptic", "segmentation", "detection"}
    with pytest.raises(ConfigError, match="PanopticSegmenter needs a config for panoptic"):
        PanopticSegmenter.from_config("region-text_scenes_generic-96")
    assert Detector.from_config("panoptic_scenes_generic-96", device="cpu").task == "detection"
    assert task_of(Segmenter.from_pretrained("scenes", device="cpu").config) == "segmentation"


def test_command_line(tmp_path, scene, capsys):
    drawn, things, stuff = scene
    cv2.imwrite(str(tmp_path / "a.png"), drawn.image[..., ::-1])
    arguments = ["panoptic", str(tmp_path / "a.png"), "--model", "scenes", "--out", str(tmp_path / "out")]
    words = ["--things", ", ".join(things), "--stuff", ", ".join(stuff)]
    assert cli.main([*arguments, *words, "--json", "--device", "cpu"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a_ids.png", "a_panoptic.jpg", "segments.json"}
    assert cv2.imread(str(tmp_path / "out" / "a_panoptic.jpg")).shape[1] >= 192
    ids = read_segment_ids(tmp_path / "out" / "a_ids.png")
    document = json.loads((tmp_path / "out" / "segments.json").read_text())
    assert len(document["annotations"]) == len(set(np.unique(ids)) - {0})
    capsys.readouterr()
    assert cli.main([*arguments, "--classes", "dog, cat", *words]) == 2
    assert "got both" in capsys.readouterr().err
    assert cli.main([*arguments, "--classes", "dog, cat"]) == 2
    assert "groups 'thing' and 'stuff'" in capsys.readouterr().err
