"""OverlayHook on made-up batches: which kind of result is painted, where, and what happens without a file name."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from ovdense.engine import OverlayHook

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


@pytest.fixture
def runner(tmp_path):
    dataset = SimpleNamespace(metainfo=dict(classes=("cat", "dog", "grass"), palette=COLOURS))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    return SimpleNamespace(test_loop=loop, log_dir=str(tmp_path))


def sample_of(kind, size=(700, 700), **meta):
    sample = DetDataSample(metainfo=dict(ori_shape=size, **meta))
    found = InstanceData(
        bboxes=torch.tensor([[100.0, 100, 600, 600], [0, 0, 50, 50]]),
        labels=torch.tensor([0, 1]),
        scores=torch.tensor([0.9, 0.1]),
        masks=torch.zeros(2, *size, dtype=torch.bool),
    )
    found.masks[0, 200:500, 200:500] = True
    sample.pred_instances = found
    if kind == "empty":
        sample.pred_instances = found[:0]
    if kind in ("semantic", "panoptic"):
        sample.pred_sem_seg = PixelData(data=torch.full((1, *size), 1))
    if kind == "panoptic":
        encoded = torch.full((1, *size), 2)  # grass
        encoded[:, 200:500, 200:500] = 1000  # the first cat
        encoded[:, :100] = 3  # void
        sample.pred_panoptic_seg = PixelData(sem_seg=encoded)
    return sample


def paint(runner, folder, *samples, size=(700, 700), **options):
    hook = OverlayHook(draw=True, test_out_dir=str(folder), **options)
    hook.after_test_iter(
        runner, 0, dict(inputs=[torch.full((3, *size), 100, dtype=torch.uint8)] * len(samples)), samples
    )
    return [cv2.imread(str(path)) for path in sorted(folder.iterdir())]


def tint_of(painted, y, x):
    """Which of blue, green, red is strongest; None where the picture is grey."""
    pixel = painted[y, x].astype(int)
    return None if np.ptp(pixel) < 20 else int(pixel.argmax())


@pytest.mark.parametrize(
    "kind, inside, outside", [("instances", 2, None), ("semantic", 1, 1), ("panoptic", 2, 0), ("empty", None, None)]
)
def test_paints_the_most_telling_result(runner, tmp_path, kind, inside, outside):
    (painted,) = paint(runner, tmp_path / "out", sample_of(kind))
    assert tint_of(painted, 480, 480) == inside and tint_of(painted, 650, 650) == outside
    if kind == "panoptic":
        assert tint_of(painted, 50, 400) is None  # void


def test_files_have_the_name_of_the_picture_or_none(runner, tmp_path):
    samples = [sample_of("semantic"), sample_of("semantic", img_path="a/b/photo.png"), sample_of("semantic")]
    paint(runner, tmp_path / "out", *samples, interval=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00000_picture.jpg",
        "00001_photo.jpg",
        "00002_picture.jpg",
    ]
    assert len(paint(runner, tmp_path / "some", *samples, interval=2)) == 2


def test_the_input_is_enlarged_to_the_picture(runner, tmp_path):
    (painted,) = paint(runner, tmp_path / "out", sample_of("semantic"), size=(70, 70))
    assert painted.shape[1] == 700


def test_off_unless_asked(runner, tmp_path):
    OverlayHook().after_test_iter(runner, 0, dict(inputs=[]), [])
    assert not list(tmp_path.iterdir())
