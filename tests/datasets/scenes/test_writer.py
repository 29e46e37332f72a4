import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoPanopticDataset
from PIL import Image
from pycocotools.coco import COCO

from ovdense.datasets import ScenesSegDataset
from ovdense.datasets.scenes.base import select_objects
from ovdense.datasets.scenes.fixed import load_fixed_scenes
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.shapes import SHAPE_STYLE
from ovdense.datasets.scenes.sprites import HELD_OUT_STYLE, TRAIN_STYLES
from ovdense.datasets.scenes.writer import SceneWriter
from ovdense.models.vocabulary_files import load_vocabulary


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    vocabulary = load_vocabulary("scenes-143")
    generator = SceneGenerator(classes=select_objects(vocabulary, None), seed=1, texture_variants=1)
    scenes = {index: generator[index] for index in range(12)}
    writer = SceneWriter(folder, vocabulary=vocabulary, split="val")
    assert writer.write(scenes.items()) == 12
    return folder, scenes


def test_images_and_labels_are_those_of_the_scenes(written):
    folder, scenes = written
    classes = load_vocabulary(str(folder / "vocabulary.json")).classes
    for index, scene in scenes.items():
        image = cv2.imread(str(folder / "images" / "validation" / f"{index:06d}.png"))
        labels = cv2.imread(str(folder / "annotations" / "validation" / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(image[..., ::-1], scene.image)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, scene.semantic_as(classes))


def test_instances_can_be_read_with_pycocotools(written):
    folder, scenes = written
    coco = COCO(str(folder / "coco" / "instances_val.json"))
    assert len(coco.anns) == sum(len(scene.objects) for scene in scenes.values())
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert mask.sum() == annotation["area"]
        x, y, width, height = annotation["bbox"]
        assert mask[y : y + height, x : x + width].sum() == annotation["area"]
        item = next(
            item
            for item in scenes[annotation["image_id"]].objects
            if np.array_equal(mask > 0, scenes[annotation["image_id"]].instances == item.instance_id)
        )
        assert coco.cats[annotation["category_id"]]["name"] == item.name
        assert annotation["iscrowd"] == item.ignored


def test_panoptic_segments_cover_what_is_not_ignored(written):
    folder, scenes = written
    content = json.loads((folder / "coco" / "panoptic_val.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert sum(category["isthing"] for category in content["categories"]) == 127
    for annotation in content["annotations"]:
        scene = scenes[annotation["image_id"]]
        png = cv2.imread(str(folder / "coco" / "panoptic_val" / annotation["file_name"])).astype(int)
        ids = png[..., 2] + 256 * png[..., 1] + 65536 * png[..., 0]
        assert ((ids == 0) == (scene.semantic == 255)).all()
        for segment in annotation["segments_info"]:
            mask = ids == segment["id"]
            assert mask.sum() == segment["area"]
            assert {scene.labels[label] for label in np.unique(scene.semantic[mask])} == {names[segment["category_id"]]}


def test_panoptic_files_agree_with_mmdets_reader_and_the_label_maps(written):
    folder, scenes = written
    images, labels = folder / "images" / "validation", folder / "annotations" / "validation"
    classes = load_vocabulary("scenes-143").classes
    dataset = CocoPanopticDataset(
        ann_file=str(folder / "coco" / "panoptic_val.json"),
        data_prefix=dict(img=str(images), seg=str(folder / "coco" / "panoptic_val")),
        metainfo=dict(classes=classes, thing_classes=classes[:127], stuff_classes=classes[127:]),
        pipeline=[],
        test_mode=True,
    )
    content = json.loads((folder / "coco" / "panoptic_val.json").read_text())
    written_segments = {entry["image_id"]: entry["segments_info"] for entry in content["annotations"]}
    assert len(dataset) == len(scenes)
    for index in range(len(dataset)):
        entry = dataset.get_data_info(index)
        ids = np.asarray(Image.open(entry["seg_map_path"]), dtype=np.int64) @ [1, 256, 256**2]
        label_map = np.asarray(Image.open(labels / Path(entry["img_path"]).name))
        assert {segment["id"] for segment in entry["segments_info"]} == set(ids[ids > 0].tolist())
        read = np.full_like(ids, 255)
        for segment in entry["segments_info"]:
            read[ids == segment["id"]] = segment["category"]
            assert bool(segment["is_thing"]) == (segment["category"] < 127)
        assert np.array_equal(read, label_map)
        for segment in written_segments[entry["img_id"]]:
            rows, columns = np.nonzero(ids == segment["id"])
            size = [columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()]
            assert segment["bbox"] == [columns.min(), rows.min(), *size]
            assert segment["area"] == len(rows)


def test_a_stopped_run_goes_on_and_leaves_what_a_whole_one_does(written, tmp_path):
    folder, scenes = written
    vocabulary = load_vocabulary("scenes-143")

    def stopping():
        yield from list(scenes.items())[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SceneWriter(tmp_path, vocabulary=vocabulary, split="val").write(stopping())
    assert not (tmp_path / "coco" / "panoptic_val.json").exists()
    journal = tmp_path / ".scenes_val.jsonl"
    with journal.open("a") as file:
        file.write('{"image": {"id": 5, "fi')  # the process ended inside of a line
    (tmp_path / "images" / "validation" / "000002.png").unlink()
    writer = SceneWriter(tmp_path, vocabulary=vocabulary, split="val")
    missing = [index for index in scenes if index not in writer]
    assert missing == [2, *range(5, 12)]
    assert writer.write((index, scenes[index]) for index in missing) == 12
    assert SceneWriter(tmp_path, vocabulary=vocabulary, split="val").write(()) == 12
    files = [path.relative_to(folder) for path in folder.rglob("*.*") if path.suffix in (".png", ".json")]
    assert len(files) == 3 * 12 + 4
    assert all((tmp_path / file).read_bytes() == (folder / file).read_bytes() for file in files)
    assert not list(tmp_path.rglob("*.unfinished"))


def test_a_folder_holds_scenes_of_one_recipe(written):
    folder, _ = written
    with pytest.raises(ValueError, match=r"another recipe.*vocabulary \"[0-9a-f]+\" there"):
        SceneWriter(folder, vocabulary=load_vocabulary("scenes-48"), split="val")
    with pytest.raises(ValueError, match="got size null there, 96 now"):
        SceneWriter(folder, vocabulary=load_vocabulary("scenes-143"), split="val", recipe=dict(size=96))


def test_captions(written):
    folder, scenes = written
    content = json.loads((folder / "coco" / "captions_val.json").read_text())
    assert {item["image_id"]: item["caption"] for item in content["annotations"]} == {
        index: scene.caption for index, scene in scenes.items()
    }


@pytest.fixture(scope="module")
def make_scenes():
    return runpy.run_path("tools/dataset_converters/make_scenes.py")


def test_command_writes_what_the_datasets_show(tmp_path, make_scenes, capsys):
    options = [str(tmp_path), "--first", "4", "--vocabulary", "scenes-48", "--labelled", "fox", "--num"]
    make_scenes["main"]([*options, "1"])
    make_scenes["main"]([*options, "2"])
    assert "1 scenes written" in capsys.readouterr().out.splitlines()[1]
    dataset = ScenesSegDataset(split="val", num_scenes=6, test_mode=True)
    for index in (4, 5):
        image = cv2.imread(str(tmp_path / "images" / "validation" / f"{index:06d}.png"))
        assert np.array_equal(image, dataset.get_data_info(index)["img"])
    with pytest.raises(SystemExit, match=r"another recipe.*got size 96 there, 64 now"):
        make_scenes["main"]([*options, "1", "--size", "64"])


def test_command_writes_fixed_scenes_with_their_own_vocabulary(tmp_path, make_scenes):
    make_scenes["main"]([str(tmp_path), "--fixed", "unseen", "--num", "3"])
    scenes = load_fixed_scenes("unseen")
    vocabulary = load_vocabulary(str(tmp_path / "vocabulary.json"))
    assert vocabulary.classes == load_vocabulary("scenes-unseen-40").classes
    assert len(list((tmp_path / "images" / "validation").iterdir())) == 3
    labels = cv2.imread(str(tmp_path / "annotations" / "validation" / "000002.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(labels, scenes[2].semantic_as(vocabulary.classes))


def test_options_of_the_command_reach_the_generator(make_scenes, capsys):
    def options(*words):
        return make_scenes["generator_options"](
            make_scenes["parse_args"](["out", *words]), load_vocabulary("scenes-48")
        )

    assert options()["styles"] == list(TRAIN_STYLES) and HELD_OUT_STYLE not in TRAIN_STYLES
    assert options()["size"] == 96 and "compositions" not in options()
    drawn = options("--size", "384", "256", "--styles", HELD_OUT_STYLE, "--compositions", "0.9", "--objects", "fox")
    generator = SceneGenerator(**{**drawn, "texture_variants": 1})
    scenes = (generator[index] for index in range(20))
    scene = next(scene for scene in scenes if len({item.style for item in scene.objects}) > 1)
    assert scene.image.shape == (384, 256, 3)
    assert {item.style for item in scene.objects} == {HELD_OUT_STYLE, SHAPE_STYLE}
    for words in (["--fixed", "full", "--size", "64"], ["--composition-group", "all"], ["--size", "1", "2", "3"]):
        with pytest.raises(SystemExit):
            make_scenes["parse_args"](["out", *words])
    told = capsys.readouterr().err
    assert "got --size as well" in told and "--compositions SHARE" in told and "got 3 numbers" in told
