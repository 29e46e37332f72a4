"""Overlays: sizes, colours and texts that hold on any picture; the look itself is judged by eye."""

import numpy as np
import pytest

from ovdense.visualization import class_shares, draw_detections, draw_segmentation, format_share
from ovdense.visualization.canvas import LegendEntry, add_legend, painting_scale
from ovdense.visualization.detection import _free_place
from ovdense.visualization.text import chip_size, ink_on, shorten, text_size

PALETTE = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
CLASSES = ("cat", "dog", "grass")


def grey(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def test_tint_is_the_blend_of_picture_and_colour():
    labels = np.zeros((700, 700), np.uint8)
    painted = draw_segmentation(grey(700, 700), labels, classes=CLASSES, palette=PALETTE, legend=False, names=False)
    assert painted[300, 300].tolist() == [50, 50, 178]  # BGR: half of 100 and half of (0, 0, 255)


def test_background_and_unknown_labels_stay_unpainted():
    labels = np.full((700, 700), 255, np.uint8)
    labels[:300] = 2
    painted = draw_segmentation(
        grey(700, 700), labels, classes=CLASSES, palette=PALETTE, legend=False, names=False, background_index=2
    )
    assert painted[100, 100].tolist() == painted[600, 600].tolist() == [100, 100, 100]
    assert painted[299, 350].tolist() != [100, 100, 100]  # the line between them


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (7, 5), (96, 96), (480, 360), (900, 1600), (4000, 3000)])
def test_any_size_gives_a_readable_painting(size):
    labels = (np.indices(size).sum(0) % 3).astype(np.uint8)
    painted = draw_segmentation(grey(*size), labels, classes=CLASSES, palette=PALETTE)
    assert painted.dtype == np.uint8 and painted.shape[2] == 3
    assert 640 <= max(painted.shape) <= 2048 + 1000
    boxes = np.array([[0, 0, size[1], size[0]], [-5, -5, 2, 2], [3, 3, 1, 1]])
    painted = draw_detections(grey(*size), boxes, np.array([0, 1, 2]), classes=CLASSES, palette=PALETTE)
    assert 640 <= max(painted.shape) <= 2048 + 1000


def test_exact_size_on_request():
    labels = np.zeros((50, 60), np.uint8)
    options = dict(classes=CLASSES, palette=PALETTE, legend=False, max_side=60)
    assert draw_segmentation(grey(50, 60), labels, **options).shape == (50, 60, 3)
    assert painting_scale(100, 300) == pytest.approx(640 / 300)
    assert painting_scale(9000, 12000) == pytest.approx(2048 / 12000)
    assert painting_scale(900, 1200) == 1


def test_many_classes_and_any_letters():
    classes = [f"class number {index}" for index in range(846)] + ["建物 Ω 🐈 \u202e naïve" + "x" * 5000]
    palette = np.random.default_rng(0).integers(0, 255, (847, 3)).tolist()
    labels = np.arange(847 * 4, dtype=np.uint16).reshape(4, 847) % 847
    assert draw_segmentation(grey(4, 847), labels, classes=classes, palette=palette).shape[1] == 847
    boxes = np.array([[0, 0, 40, 4], [100, 0, 140, 4]])
    assert draw_detections(grey(4, 847), boxes, np.array([846, 3]), classes=classes, palette=palette).shape[1] == 847


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 5\)"):
        draw_segmentation(grey(6, 6), np.zeros((5, 5), np.uint8), classes=CLASSES, palette=PALETTE)


def test_masks_are_tinted_and_nothing_found_is_said():
    masks = np.zeros((1, 700, 700), bool)
    masks[0, 200:500, 200:500] = True
    options = dict(classes=CLASSES, palette=PALETTE)
    boxes = np.array([[100, 100, 600, 600]])
    painted = draw_detections(grey(700, 700), boxes, np.array([1]), masks=masks, legend=False, alpha=0.5, **options)
    assert painted[350, 350].tolist() == [50, 178, 50]
    assert painted[150, 350].tolist() == [100, 100, 100]
    none = draw_detections(grey(700, 700), np.zeros((0, 4)), np.zeros(0, int), **options)
    assert none.shape[0] > 700  # the legend says that nothing was found


def test_shares_and_their_words():
    assert class_shares(np.array([[0, 0, 1, 255]]), 3).tolist() == [0.5, 0.25, 0]
    words = [format_share(share) for share in (0.421, 0.0994, 0.0996, 0.0512, 0.0004)]
    assert words == ["42 %", "9.9 %", "10 %", "5.1 %", "< 0.1 %"]


def test_legend_counts_what_it_leaves_out():
    entries = [LegendEntry(f"name {index}", (0, 0, 0), "1 %") for index in range(50)]
    short, long = (add_legend(grey(600, 800), entries, max_entries=count) for count in (4, 40))
    assert short.shape[1] == long.shape[1] == 800 and 600 < short.shape[0] < long.shape[0]
    upright = add_legend(grey(800, 500), entries)
    assert upright.shape[1] > 500
    assert add_legend(grey(10, 10), []).shape == (10, 10, 3)


def test_texts_fit():
    assert shorten("cat", 20, 1000) == "cat"
    assert shorten("two\nlines", 20, 1000) == "two lines"
    for width in (5, 30, 100):
        short = shorten("a very long name of a class", 20, width)
        assert short.endswith("…") and (text_size(short, 20)[0] <= width or short == "…")
    assert ink_on((255, 255, 0)) == (20, 20, 20) and ink_on((0, 0, 120)) == (255, 255, 255)
    assert chip_size("ab", 20)[0] > chip_size("a", 20)[0]


def test_chips_step_aside():
    first = _free_place((100, 100, 300, 300), (80, 20), (400, 400), [])
    assert first == (100, 80, 180, 100)  # above the box
    second = _free_place((100, 100, 300, 300), (80, 20), (400, 400), [first])
    assert second == (100, 100, 180, 120)  # inside its top
    corner = _free_place((390, 0, 400, 10), (80, 20), (400, 400), [])
    assert corner[2] <= 400 and corner[1] >= 0
