import pytest
import torch

from ovdense.functional.background import classes_by_area
from ovdense.functional.similarity import synonym_max
from ovdense.models.segmentors.geometry import Axis, axis_matrix
from ovdense.models.segmentors.label_decoder import LabelRules, WindowLogits, class_logits, decode_labels, label_dtype

PROTOCOLS = {
    "whole": [
        dict(length=90, crop=90, stride=90, cells=6, out=90),
        dict(length=64, crop=64, stride=64, cells=4, out=64),
    ],
    "padded": [
        dict(length=90, crop=90, stride=90, cells=6, padding=(0, 6), out=77),
        dict(length=61, crop=61, stride=61, cells=4, padding=(1, 2), out=130),
    ],
    "slide": [
        dict(length=112, crop=64, stride=32, cells=4, out=100),
        dict(length=160, crop=64, stride=32, cells=4, flip=True, cut=(3, 5), out=150),
    ],
    "small slide": [
        dict(length=40, crop=32, stride=16, cells=2, out=50),
        dict(length=32, crop=32, stride=16, cells=2, out=41),
    ],
    "tiny": [dict(length=1, crop=1, stride=1, cells=1, padding=(0, 15), out=1)] * 2,
}


def window_logits(protocol, phrases=9, class_index=None, refine=None):
    torch.manual_seed(1)
    axes = [axis_matrix(Axis(**axis)) for axis in PROTOCOLS[protocol]]
    grids = torch.randn(phrases, axes[0].size_in, axes[1].size_in)
    index = torch.arange(phrases) if class_index is None else torch.tensor(class_index)
    return WindowLogits(grids, *axes, index, refine)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("phrases", [1, 9, 300])
def test_labels_are_the_argmax_of_the_full_maps(protocol, phrases):
    logits = window_logits(protocol, phrases)
    labels, probability = decode_labels(logits, LabelRules(num_classes=phrases, logit_scale=3.0, with_prob=True))
    whole = (logits.full() * 3.0).softmax(0)
    assert torch.equal(labels, whole.argmax(0))
    torch.testing.assert_close(probability, whole.amax(0))
    plain, nothing = decode_labels(logits, LabelRules(num_classes=phrases))
    assert torch.equal(plain, labels) and nothing is None


def test_ten_thousand_classes():
    logits = window_logits("small slide", 10_000)
    labels, _ = decode_labels(logits, LabelRules(num_classes=10_000))
    assert torch.equal(labels, logits.full().argmax(0))


@pytest.mark.parametrize("refine", [None, lambda maps: maps.roll(2, dims=-1)], ids=["plain", "refined"])
@pytest.mark.parametrize("protocol", ["slide", "padded"])
def test_synonyms_area_filter_and_threshold_in_the_official_order(protocol, refine):
    class_index = [0, 0, 3, 1, 1, 2, 4, 4, 4]
    logits = window_logits(protocol, 9, class_index, refine)
    rules = LabelRules(num_classes=5, logit_scale=2.0, prob_threshold=0.25, area_threshold=0.2, with_prob=True)
    labels, probability = decode_labels(logits, rules)
    full = logits.full() if refine is None else refine(logits.full())
    scores = synonym_max((full * 2.0).softmax(0)[None], logits.class_index, 5)
    kept = classes_by_area(scores.argmax(1), 5, 0.2)
    assert 1 < kept.sum() < 5
    top, expected = (scores * kept[:, :, None, None]).max(1)
    expected[top < 0.25] = 0
    assert torch.equal(labels[None], expected)
    torch.testing.assert_close(probability[None], top)


def test_background_may_be_any_class_and_a_class_may_have_no_phrase():
    logits = window_logits("whole", 3, [0, 1, 3])
    labels, _ = decode_labels(logits, LabelRules(num_classes=4, prob_threshold=1.1, background_index=2))
    assert (labels == 2).all()
    full = class_logits(logits, LabelRules(num_classes=4, logit_scale=2.0))
    torch.testing.assert_close(full[[0, 1, 3]], logits.full() * 2)
    assert (full[2] == -torch.inf).all()


def test_probabilities_of_a_head_are_not_put_through_a_softmax():
    logits = window_logits("slide", 9)
    logits.grids = logits.grids.softmax(0)
    labels, probability = decode_labels(
        logits, LabelRules(num_classes=9, softmax=False, prob_threshold=0.3, with_prob=True)
    )
    top, expected = logits.full().max(0)
    assert torch.equal(labels, torch.where(top < 0.3, 0, expected))
    torch.testing.assert_close(probability, top)


def test_255_stays_free_for_ignored_pixels():
    assert label_dtype(255) == torch.uint8
    assert label_dtype(256) == torch.int32


def test_refinement_of_contenders_only_sees_the_classes_that_win_a_cell():
    logits = window_logits("slide", 9, [0, 0, 3, 1, 1, 2, 4, 4, 4])
    logits.grids[[2, 5]] -= 100.0  # classes 3 and 2 win nowhere
    seen = []
    logits.refine = lambda maps: (seen.append(len(maps)), maps)[1]
    every, _ = decode_labels(logits, LabelRules(num_classes=5))
    logits.contenders_only = True
    contenders, _ = decode_labels(logits, LabelRules(num_classes=5))
    assert seen == [9, 7]
    assert torch.equal(every, contenders)
