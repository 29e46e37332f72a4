"""Labels without the full-resolution logits: by hand, and equal to F.interpolate + argmax (+ softmax, synonyms)."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.resample import AxisMatrix, bilinear_axis
from ovdense.functional.upsample_argmax import class_areas, separable_argmax, upsample_argmax


def white(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def smooth(batch, phrases, h, w):
    """Low-pass noise."""
    coarse = white(batch, phrases, h // 4 + 1, w // 4 + 1)
    return F.interpolate(coarse, size=(h, w), mode="bicubic")


def cosine(batch, phrases, h, w):
    """Cosines of smooth features with related text rows, as a CLIP head gives them."""
    features = smooth(batch, 64, h, w) + 0.3 * white(batch, 64, h, w) + white(1, 64, 1, 1)
    rows = white(phrases, 64) + white(1 + phrases // 8, 64).repeat(8, 1)[:phrases]
    return torch.einsum("bchw,kc->bkhw", F.normalize(features, dim=1), F.normalize(rows, dim=1))


def plain(logits, size, align_corners=False):
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)


def test_two_classes_by_hand():
    # Class 0 falls from 1 to 0, class 1 rises from 0 to 0.6: they cross at 1 / 1.6 = 0.625 between the patches.
    logits = torch.tensor([[1.0, 0.0], [0.0, 0.6]]).view(1, 2, 1, 2)
    # 8 columns lie at 0 0 .125 .375 .625 .875 1 1 after clamping; at .625 exactly equal up to rounding, so shift it.
    logits[0, 1, 0, 1] = 0.59
    assert upsample_argmax(logits, (1, 8)).tolist() == [[[0, 0, 0, 0, 0, 1, 1, 1]]]
    # With corners aligned: 0, 1/7, ... 1; the crossing 0.629 lies between 4/7 = 0.571 and 5/7 = 0.714.
    assert upsample_argmax(logits, (1, 8), align_corners=True).tolist() == [[[0, 0, 0, 0, 0, 1, 1, 1]]]


def test_a_class_that_wins_only_between_the_patches():
    # Class 1 is second at both patches but first from 0.3 to 0.7; columns 12, 16, 20 lie at 0.28, 0.53, 0.78.
    logits = torch.tensor([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0]]).view(1, 3, 1, 2)
    assert upsample_argmax(logits, (1, 32))[0, 0, ::4].tolist() == [0, 0, 0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize("make", [white, smooth, cosine])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2, 20, 14, 14), (224, 224)),
        ((1, 150, 9, 13), (150, 201)),
        ((1, 847, 6, 5), (101, 83)),
        ((3, 7, 5, 8), (333, 77)),
        ((1, 4, 3, 2), (300, 401)),
    ],
)
def test_equal_to_the_plain_way(make, align_corners, shape, size):
    logits = make(*shape)
    expected = plain(logits, size, align_corners).argmax(1)
    assert torch.equal(upsample_argmax(logits, size, align_corners=align_corners), expected)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 5, 40, 50), (40, 150)),  # rows unchanged
        ((1, 5, 40, 50), (23, 201)),  # rows shrink
        ((1, 5, 40, 50), (17, 120)),
        ((2, 5, 40, 50), (80, 100)),  # small factor
        ((1, 5, 40, 50), (90, 130)),
        ((1, 9, 1, 1), (40, 200)),
        ((1, 9, 1, 7), (64, 130)),
        ((1, 9, 7, 1), (1, 130)),
        ((1, 9, 3, 3), (200, 1)),
    ],
)
def test_small_factors_shrinking_and_single_patches(shape, size):
    logits = white(*shape)
    expected = plain(logits, size)
    labels, probs = upsample_argmax(logits, size, scale=2.0, return_prob=True)
    top = expected.topk(2, 1).values
    clear = top[:, 0] - top[:, 1] > 1e-6
    assert torch.equal(labels[clear], expected.argmax(1)[clear])
    torch.testing.assert_close(probs, (2 * expected).softmax(1).amax(1), atol=1e-6, rtol=0)


def test_the_same_size_is_argmax():
    logits = white(2, 6, 11, 12)
    assert torch.equal(upsample_argmax(logits, (11, 12)), logits.argmax(1))


def test_one_class_and_two_classes():
    assert torch.equal(upsample_argmax(white(2, 1, 4, 5), (30, 40)), torch.zeros(2, 30, 40, dtype=torch.int64))
    logits = white(1, 2, 28, 42)
    assert torch.equal(upsample_argmax(logits, (448, 672)), plain(logits.repeat(1, 2, 1, 1), (448, 672)).argmax(1) % 2)


def test_ten_thousand_classes():
    logits = cosine(1, 10_000, 4, 5)
    assert torch.equal(upsample_argmax(logits, (64, 80)), plain(logits, (64, 80)).argmax(1))


@pytest.mark.parametrize("phrases", [3, 400])
def test_ties_go_to_the_lowest_class(phrases):
    assert upsample_argmax(torch.zeros(1, phrases, 6, 7), (96, 112)).max() == 0
    twins = white(1, phrases, 6, 7).repeat(1, 2, 1, 1)
    assert torch.equal(upsample_argmax(twins, (96, 112)), plain(twins, (96, 112)).argmax(1))


def test_every_class_wins_somewhere_in_one_cell():
    # Tangent planes of a bowl: each is the largest near its own point of contact, so none can be dropped early.
    points = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    planes = 2 * points @ corners.T - (points * points).sum(1, keepdim=True)
    logits = planes.view(1, 300, 2, 2)
    expected = plain(logits, (512, 512)).argmax(1)
    assert expected.unique().numel() > 250
    assert torch.equal(upsample_argmax(logits, (512, 512)), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_give_what_the_plain_way_gives(bad):
    logits = white(1, 5, 6, 7)
    logits[0, 2, 3, 3] = bad
    assert torch.equal(upsample_argmax(logits, (96, 112)), plain(logits, (96, 112)).argmax(1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(dtype):
    logits = smooth(1, 12, 7, 9).to(dtype)
    compute = torch.promote_types(dtype, torch.float32)
    labels, probs = upsample_argmax(logits, (112, 144), return_prob=True)
    assert torch.equal(labels, plain(logits.to(compute), (112, 144)).argmax(1))
    assert probs.dtype == compute


def test_logits_that_are_not_contiguous():
    logits = white(2, 9, 8, 12).to(memory_format=torch.channels_last)
    assert torch.equal(upsample_argmax(logits, (128, 192)), plain(logits.contiguous(), (128, 192)).argmax(1))


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("size", [(160, 144), (33, 40)])
def test_synonyms_probabilities_and_threshold(scale, size):
    logits = cosine(2, 30, 10, 9)
    class_index = torch.randint(0, 8, (30,), generator=torch.Generator().manual_seed(0))
    class_index[:8] = torch.arange(8)
    soft = (scale * plain(logits.double(), size)).softmax(1).float()
    scores = torch.stack([soft[:, class_index == c].amax(1) for c in range(8)], 1)
    labels, probs = upsample_argmax(logits, size, class_index=class_index, scale=scale, return_prob=True)
    assert torch.equal(labels, scores.argmax(1))
    torch.testing.assert_close(probs, scores.amax(1), atol=1e-6, rtol=0)
    threshold = float(probs.median())
    cut = upsample_argmax(logits, size, class_index=class_index, scale=scale, threshold=threshold, background_index=5)
    assert torch.equal(cut, torch.where(probs < threshold, 5, labels))
    assert (cut != labels).any()


def test_ties_between_synonyms_go_to_the_lowest_class_not_the_first_phrase():
    logits = torch.ones(1, 3, 4, 4)
    assert upsample_argmax(logits, (64, 64), class_index=torch.tensor([2, 1, 1])).unique().tolist() == [1]


def test_allowed_phrases_win_but_all_count_in_the_softmax():
    logits = cosine(1, 12, 6, 6)
    allowed = torch.arange(12) % 3 == 0
    soft = (20 * plain(logits, (96, 96))).softmax(1)
    labels, probs = upsample_argmax(logits, (96, 96), scale=20.0, return_prob=True, allowed=allowed)
    assert torch.equal(labels, soft[:, ::3].argmax(1) * 3)
    torch.testing.assert_close(probs, soft[:, ::3].amax(1), atol=1e-6, rtol=0)


def test_region_is_a_part_of_the_whole():
    logits = white(1, 30, 9, 13)
    whole = upsample_argmax(logits, (150, 210))
    assert torch.equal(upsample_argmax(logits, (150, 210), region=(5, 20, 131, 149)), whole[:, 20:149, 5:131])


def test_any_averaging_matrices():
    # Random averages are nowhere linear: every output is a knot.
    def averages(outputs, inputs):
        index = torch.randint(0, inputs, (outputs, 3), generator=torch.Generator().manual_seed(outputs))
        return AxisMatrix(index, torch.full((outputs, 3), 1 / 3), inputs)

    logits = white(2, 6, 8, 9)
    rows, cols = averages(31, 8), averages(20, 9)
    expected = torch.einsum("hp,bspq,wq->bshw", rows.dense(), logits, cols.dense())
    assert torch.equal(separable_argmax(logits, rows, cols), expected.argmax(1))
    mixed = separable_argmax(logits, rows, bilinear_axis(9, 160))
    assert torch.equal(
        mixed, torch.einsum("hp,bspq,wq->bshw", rows.dense(), logits, bilinear_axis(9, 160).dense()).argmax(1)
    )


def test_bands_and_groups_do_not_change_labels(monkeypatch):
    logits = cosine(1, 60, 12, 10)
    expected = upsample_argmax(logits, (192, 160))
    monkeypatch.setattr("ovdense.functional.tile_argmax.BAND_ELEMENTS", 1)
    monkeypatch.setattr("ovdense.functional.tile_argmax.GROUP_PIXELS", 1000)
    assert torch.equal(upsample_argmax(logits, (192, 160)), expected)
    monkeypatch.setattr("ovdense.functional.tile_argmax.MAX_ENTRIES", 0)
    assert torch.equal(upsample_argmax(logits, (192, 160)), expected)
    monkeypatch.setattr("ovdense.functional.upsample_argmax.MIN_CELL_AREA", 1e9)
    monkeypatch.setattr("ovdense.functional.upsample_argmax.BLOCK_ELEMENTS", 2000)
    assert torch.equal(upsample_argmax(logits, (192, 160)), expected)


def test_class_areas_by_hand():
    labels = torch.tensor([[[0, 2], [2, 255]], [[1, 1], [1, 1]]])
    assert class_areas(labels, 3).tolist() == [[1, 0, 2], [0, 4, 0]]


def test_errors_name_what_came():
    logits = white(1, 3, 4, 4)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 4\)"):
        upsample_argmax(logits[0], (8, 8))
    with pytest.raises(ValueError, match=r"torch\.int64"):
        upsample_argmax(logits.long(), (8, 8))
    with pytest.raises(ValueError, match=r"got \(0, 0, 9, 8\)"):
        upsample_argmax(logits, (8, 8), region=(0, 0, 9, 8))
    with pytest.raises(ValueError, match=r"\(3\), got \(2,\)"):
        upsample_argmax(logits, (8, 8), class_index=torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        upsample_argmax(logits, (8, 8), allowed=torch.zeros(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"5 x 4 grid, the logits have \(4, 4\)"):
        separable_argmax(logits, bilinear_axis(5, 8), bilinear_axis(4, 8))


@pytest.mark.parametrize("device", ["cuda"])
def test_on_an_accelerator(device):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    logits = cosine(2, 150, 14, 20)
    labels = upsample_argmax(logits.to(device), (224, 320))
    expected = plain(logits.double(), (224, 320))
    top = expected.topk(2, 1).values
    clear = top[:, 0] - top[:, 1] > 1e-6
    assert torch.equal(labels.cpu()[clear], expected.argmax(1)[clear])


PEAK = """
import sys, torch
from ovdense.functional.upsample_argmax import upsample_argmax
torch.set_num_threads(1)
torch.manual_seed(0)
classes, grid, size = map(int, sys.argv[1:])
coarse = torch.randn(1, classes, grid // 4, grid // 4)
logits = torch.nn.functional.interpolate(coarse, size=(grid, grid), mode='bilinear')
upsample_argmax(logits, (size, size))
with open("/proc/self/status") as file:  # ru_maxrss would start at the peak of the parent
    print(next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")))
"""


def peak_bytes(classes, grid, size):
    """Peak memory of a process of its own that labels a size x size image, the import of torch included."""
    command = [sys.executable, "-c", PEAK, str(classes), str(grid), str(size)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_hardly_depends_on_the_number_of_classes():
    few, many = peak_bytes(20, 128, 2048), peak_bytes(847, 128, 2048)
    # 847 classes at 2048 x 2048 are 14.2 GB; the input itself has 56 MB (1.3 MB for 20 classes).
    assert many <= 1.2 * few
