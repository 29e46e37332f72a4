import colorsys

import numpy as np
import pytest

from ovdense.visualization import draw_panoptic
from ovdense.visualization.panoptic import _entries, _instance_numbers, segment_colours

CLASSES = ("dog", "sky", "cat")
PALETTE = ((200, 30, 30), (40, 90, 220), (30, 180, 60))
SEGMENTS = [
    dict(id=5, label=0, isthing=True),
    dict(id=2, label=1, isthing=False),
    dict(id=9, label=0, isthing=True),
]


def segment_map():
    ids = np.zeros((400, 600), np.int32)
    ids[:150] = 2
    ids[200:350, 50:250], ids[200:350, 300:550] = 5, 9
    return ids


def test_segments_are_tinted_and_void_is_left():
    image = np.full((400, 600, 3), 128, np.uint8)
    painted = draw_panoptic(image, segment_map(), SEGMENTS, classes=CLASSES, palette=PALETTE, legend=False, names=False)
    scale = painted.shape[0] / 400
    at = {name: painted[int(y * scale), int(x * scale)] for name, (y, x) in
          dict(void=(380, 20), sky=(60, 300), one=(270, 100), two=(270, 500)).items()}  # fmt: skip
    assert at["void"].tolist() == [128] * 3
    assert at["sky"].argmax() == 0 and at["one"].argmax() == 2  # BGR: blue sky, red dog
    assert np.abs(at["one"].astype(int) - at["two"]).sum() > 20  # two dogs are two shades
    line = painted[int(270 * scale), int(40 * scale) : int(60 * scale)].min(1)
    assert line.max() > 200  # a light line around a segment


def test_shades_begin_with_the_class_colour_and_differ():
    colours = segment_colours([dict(label=0)] * 4 + [dict(label=2)], PALETTE)
    assert tuple(colours[0]) == PALETTE[0] and tuple(colours[4]) == PALETTE[2]
    assert len({tuple(colour) for colour in colours[:4]}) == 4
    hues = [colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0] for colour in colours[:4]]
    assert max(min(abs(hue - hues[0]), 1 - abs(hue - hues[0])) for hue in hues) < 0.12


def test_legend_counts_things_and_measures_stuff():
    shares = np.array([0.2, 0.1, 0.4, 0.3])
    rows = [(entry.name, entry.value) for entry in _entries(SEGMENTS, shares, CLASSES, PALETTE)]
    assert rows == [("dog", "2"), ("sky", "40 %")]
    assert _instance_numbers(SEGMENTS) == [1, 0, 2]
    assert _instance_numbers(SEGMENTS[:2]) == [0, 0]


def test_no_segments_and_wrong_sizes():
    image = np.full((40, 60, 3), 7, np.uint8)
    nothing = draw_panoptic(image, np.zeros((40, 60), int), [], classes=CLASSES, palette=PALETTE, legend=False)
    assert (nothing == 7).all()
    with pytest.raises(ValueError, match=r"size of the picture \(40, 60\), got \(60, 40\)"):
        draw_panoptic(image, np.zeros((60, 40), int), [], classes=CLASSES, palette=PALETTE)
