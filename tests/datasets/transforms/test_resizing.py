"""Resize agrees with mmseg's where that works, and works where it does not."""

import numpy as np
import pytest
from mmseg.datasets.transforms import Resize as SegResize

from ovdense.datasets.transforms import Resize


def loaded(height, width):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return dict(img=image, gt_seg_map=image[..., 0].copy(), seg_fields=["gt_seg_map"])


@pytest.mark.parametrize(
    "options", [dict(scale=(64, 20), keep_ratio=True), dict(scale=(17, 9)), dict(scale_factor=0.4)]
)
def test_same_as_mmseg(options):
    ours, theirs = Resize(**options)(loaded(33, 50)), SegResize(**options)(loaded(33, 50))
    assert (ours["img"] == theirs["img"]).all() and (ours["gt_seg_map"] == theirs["gt_seg_map"]).all()
    for key in ("img_shape", "scale_factor", "keep_ratio", "scale"):
        assert ours[key] == theirs[key]


def test_no_side_vanishes():
    results = loaded(1, 200)
    del results["gt_seg_map"]
    results = Resize(scale=(96, 96), keep_ratio=True)(results)
    assert results["img"].shape == (1, 96, 3) and results["scale_factor"] == (0.48, 1.0)


def test_antialias_averages_when_reducing_only():
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2] = 200
    small = Resize(scale=(10, 10), antialias=True)(dict(img=stripes))["img"]
    assert (small == 100).all()
    large = (Resize(scale=(80, 80), antialias=flag)(dict(img=stripes))["img"] for flag in (False, True))
    assert (next(large) == next(large)).all()
