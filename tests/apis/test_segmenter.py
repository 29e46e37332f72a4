"""Pictures in, label maps out, with the embedded ``scenes`` model."""

import numpy as np
import pytest
import torch
from PIL import Image

from ovdense.apis import (
    CheckpointError,
    ConfigError,
    Detector,
    FailedImage,
    ImageError,
    Segmenter,
    find_config,
    inference_model,
    init_model,
)


@pytest.fixture(scope="module")
def segmenter(scenes_config):
    return Segmenter.from_config(scenes_config, device="cpu")


@pytest.fixture
def photos(tmp_path):
    """Three pictures of two sizes, and a broken one between them."""
    paths = []
    for index, size in enumerate([(96, 96), (64, 96), (96, 96)]):
        noise = np.random.default_rng(index).integers(0, 255, (*size[::-1], 3), np.uint8)
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(noise).save(paths[-1])
    (tmp_path / "broken.png").write_bytes(paths[0].read_bytes()[:500])
    return [paths[0], tmp_path / "broken.png", paths[1], tmp_path / "missing.png", paths[2]]


def test_encode_once_prompt_many(segmenter, photos, monkeypatch):
    encoded = []
    encode = segmenter.model.encode
    monkeypatch.setattr(segmenter.model, "encode", lambda *args: encoded.append(1) or encode(*args))
    segmenter.set_image(photos[0])
    first = segmenter.set_vocabulary(["red ball", "grass"]).predict()
    second = segmenter.set_vocabulary("one, two, three").predict()
    assert len(encoded) == 1
    assert first.classes == ("red ball", "grass") and second.classes == ("one", "two", "three")
    assert first.labels.shape == second.labels.shape == (96, 96) and first.labels.dtype == np.uint8
    assert first.path == str(photos[0]) and first.plot().ndim == 3
    assert sum(first.areas().values()) == pytest.approx(1)


def test_every_kind_of_input_gives_the_same_labels(segmenter, photos):
    segmenter.set_vocabulary(["a", "b", "c"])
    image = Image.open(photos[2])
    expected = segmenter(photos[2]).labels
    assert expected.shape == image.size[::-1]
    for source in (str(photos[2]), photos[2].read_bytes(), image, np.asarray(image)[..., ::-1]):
        assert (segmenter(source).labels == expected).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (7, 5), (300, 20)])
def test_odd_sizes(segmenter, size):
    result = segmenter(np.zeros((*size, 3), np.uint8), classes=["a", "b"])
    assert result.labels.shape == size


def test_a_batch_loses_only_the_bad_picture(segmenter, photos, capsys):
    segmenter.set_vocabulary(["a", "b", "c"])
    alone = [segmenter(path).labels for path in (photos[0], photos[2], photos[4])]
    results = segmenter.predict_many(photos, batch_size=2)
    assert [type(result) for result in results[1::2]] == [FailedImage, FailedImage]
    assert "broken.png" in results[1].path and isinstance(results[3].error, ImageError)
    for result, labels in zip(results[::2], alone):
        assert (result.labels == labels).all()
    assert "2 of 5 pictures failed" in capsys.readouterr().out


def test_a_batch_that_fails_in_the_model_is_tried_one_by_one(segmenter, photos, monkeypatch):
    segmenter.set_vocabulary(["a", "b"])
    encode = segmenter.model.encode

    def fail_on_dark(images, metainfos):
        if any("2.png" in meta["img_path"] for meta in metainfos):
            raise RuntimeError("out of memory")
        return encode(images, metainfos)

    monkeypatch.setattr(segmenter.model, "encode", fail_on_dark)
    results = segmenter.predict_many([photos[0], photos[4], photos[0]], batch_size=3, progress=False)
    assert [isinstance(result, FailedImage) for result in results] == [False, True, False]


def test_missing_pieces_are_named(scenes_config, photos):
    fresh = Segmenter.from_config(scenes_config, device="cpu")
    with pytest.raises(ValueError, match="set_image"):
        fresh.predict()
    with pytest.raises(ValueError, match="set_vocabulary"):
        fresh(photos[0])
    with pytest.raises(ConfigError, match="Detector needs a config for detection"):
        Detector.from_config(scenes_config)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        Segmenter.from_config(scenes_config, "none.pth")
    with pytest.raises(ValueError, match="got an empty list"):
        fresh.set_vocabulary([])


def test_functions_in_the_manner_of_mmseg(scenes_config, photos):
    model = init_model(scenes_config, device="cpu", vocabulary=["a", "b"])
    sample = inference_model(model, photos[2])
    assert sample.pred_sem_seg.data.shape == (1, 96, 64)
    both = inference_model(model, [photos[0], photos[2]], classes=["x", "y", "z"])
    assert [tuple(item.pred_sem_seg.data.shape) for item in both] == [(1, 96, 96), (1, 96, 64)]
    with pytest.raises(ImageError):
        inference_model(model, photos[1])


def test_mmseg_functions_take_the_same_config(scenes_config, photos):
    import mmseg.apis

    model = mmseg.apis.init_model(str(scenes_config), device="cpu")
    model.set_vocabulary(["a", "b"])
    expected = inference_model(model, str(photos[2])).pred_sem_seg.data
    for source in (str(photos[2]), np.asarray(Image.open(photos[2]))[..., ::-1]):
        assert torch.equal(mmseg.apis.inference_model(model, source).pred_sem_seg.data, expected)


def test_inferencer_of_mmseg_takes_a_shipped_config_and_keeps_its_words(photos, tmp_path):
    from mmseg.apis import MMSegInferencer

    path = find_config("maskclip_scenes_scenes-48-96")
    inferencer = MMSegInferencer(str(path), device="cpu", show_progress=False)
    assert inferencer.model.dataset_meta["classes"] == list(inferencer.model.vocabulary.classes)
    inferencer.model.set_vocabulary(["a", "b"])
    for source in (str(photos[2]), np.asarray(Image.open(photos[2]))[..., ::-1]):
        found = inferencer(source, out_dir=str(tmp_path / "out"))["predictions"]
        assert found.shape == (96, 64) and found.max() <= 1
    assert len(list((tmp_path / "out" / "vis").iterdir())) == 2


def test_a_method_that_does_not_go_with_a_model_names_those_that_do():
    with pytest.raises(
        ConfigError, match=r"does not go with lite: .* a config for lite \(pixeltext\); .*got attention"
    ):
        Segmenter.from_pretrained("lite", method="maskclip", device="cpu")
