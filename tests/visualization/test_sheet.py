"""Sheets of several pictures, and heat maps."""

import numpy as np
import pytest

from ovdense.visualization import contact_sheet, draw_heat_map


def test_a_sheet_holds_every_picture_as_it_is():
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [np.full((60, 80, 3), colour, np.uint8) for colour in colours]
    sheet = contact_sheet(pictures, ["one", "two", "three"], columns=2)
    for colour in colours:
        assert (sheet == colour).all(-1).sum() == 60 * 80
    assert sheet.shape[1] < 3 * 80 + 60 and sheet.shape[0] > 2 * 60
    assert contact_sheet(pictures, ["", "", ""], columns=9).shape[0] < 2 * 60 + 60
    with pytest.raises(ValueError, match="got 3 and 1"):
        contact_sheet(pictures, ["one"])


def test_heat_runs_from_blue_to_red():
    heat = np.tile(np.linspace(0.2, 0.4, 640, dtype=np.float32), (400, 1))
    image = np.full((400, 640, 3), 128, np.uint8)
    painted = draw_heat_map(image, heat, alpha=1.0)
    assert painted.shape[1] == 640 and painted.shape[0] > 400
    cold, hot = painted[200, 60].astype(int), painted[200, 600].astype(int)
    assert cold[0] > cold[2] + 50 and hot[2] > hot[0] + 50
    within = draw_heat_map(image, heat, limits=(0.0, 1.0), caption="a phrase")
    assert within.shape[0] > painted.shape[0]
    with pytest.raises(ValueError, match=r"\(400, 640\), got \(3, 3\)"):
        draw_heat_map(image, np.zeros((3, 3)))


def test_a_flat_map_is_cold_everywhere():
    painted = draw_heat_map(np.zeros((640, 640, 3), np.uint8), np.zeros((640, 640)), alpha=1.0)
    assert len(np.unique(painted[:640].reshape(-1, 3), axis=0)) == 1
