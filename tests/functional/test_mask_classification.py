"""Text classification and the ensemble, by hand and where floats underflow."""

import math

import pytest
import torch

from ovdense.functional.mask_classification import class_logits, ensemble_weights, log_ensemble, seen_classes


def test_a_class_scores_as_its_best_synonym_and_void_is_last():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])  # class 1 has two names, one of length 2
    logits = class_logits(
        torch.tensor([[[0.0, 3.0]]]), rows, torch.tensor([0, 1, 1]), 2, void=torch.tensor([[3.0, 4.0]]), scale=10.0
    )
    assert torch.allclose(logits, torch.tensor([[[0.0, 10.0, 8.0]]]))
    raw = class_logits(torch.tensor([[[0.0, 3.0]]]), rows, torch.tensor([0, 1, 1]), 2, scale=10.0, normalize_rows=False)
    assert torch.allclose(raw, torch.tensor([[[0.0, 20.0]]]))


def test_rows_of_each_image():
    rows = torch.eye(2)[None].repeat(2, 1, 1)
    rows[1] = rows[1].flip(0)
    logits = class_logits(torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]), rows, torch.tensor([0, 1]), 2, scale=1.0)
    assert logits.tolist() == [[[1.0, 0.0]], [[0.0, 1.0]]]
    with pytest.raises(ValueError, match="2 channels but the proposals have 3"):
        class_logits(torch.ones(1, 1, 3), rows, torch.tensor([0, 1]), 2)


def test_seen_classes_share_a_phrase():
    assert seen_classes([["man", "guy"], ["zebra"], ["Dog"]], [["person", "man"], ["dog"]]).tolist() == [
        True,
        False,
        True,
    ]


def test_the_ensemble_by_hand():
    """Learned (0.6, 0.2, void 0.2), frozen (0.5, 0.5); class 0 seen (0.4), class 1 unseen (0.8)."""
    first, second = torch.tensor([[0.6, 0.2, 0.2]]).log(), torch.tensor([[0.5, 0.5, 9.0]]).log()
    weights = ensemble_weights(torch.tensor([True, False]), 0.4, 0.8)
    mixed = [0.75**0.6 * 0.5**0.4, 0.25**0.2 * 0.5**0.8]
    expected = [0.8 * value / sum(mixed) for value in mixed] + [0.2]
    result = log_ensemble(first, second, weights)
    assert torch.allclose(result.exp(), torch.tensor([expected]), atol=1e-6)
    assert torch.allclose(result.softmax(-1), torch.tensor([expected]), atol=1e-6)


def test_the_ends_are_one_classifier_alone():
    first, second = torch.randn(4, 6), torch.randn(4, 5)
    assert torch.allclose(log_ensemble(first, second, 0.0).exp(), first.softmax(-1), atol=1e-6)
    frozen = log_ensemble(first, second, 1.0).exp()
    void = first.softmax(-1)[:, 5:]
    assert torch.allclose(frozen, torch.cat([second.softmax(-1) * (1 - void), void], 1), atol=1e-6)


def test_proposals_without_pixels_are_left_to_the_learned_classifier():
    first, second, seen = torch.randn(1, 2, 4), torch.randn(1, 2, 3), torch.tensor([True, False, True])
    weights = ensemble_weights(seen, 0.4, 0.8, torch.tensor([[True, False]]))
    mixed = log_ensemble(first, second, weights)
    assert torch.allclose(mixed[0, 1].exp(), first[0, 1].softmax(-1), atol=1e-6)
    assert torch.equal(mixed[0, 0], log_ensemble(first, second, ensemble_weights(seen, 0.4, 0.8))[0, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_underflow_of_a_softmax_leaves_no_nan(dtype):
    """Gaps of 190 (cosine 1.9 at scale 100) underflow in float32, gaps of 20 in half precision."""
    gap = 190.0 if dtype == torch.float32 else 20.0
    first = torch.tensor([[0.0, gap, 0.0, 1.0]], dtype=dtype)
    second = torch.tensor([[gap, 0.0, 0.0]], dtype=dtype)
    for seen in ([True] * 3, [False] * 3, [True, False, False]):
        for alpha, beta in ((0.4, 0.8), (0.0, 0.0), (1.0, 1.0)):
            result = log_ensemble(first, second, ensemble_weights(torch.tensor(seen), alpha, beta))
            assert result.isfinite().all()
            assert math.isclose(float(result.exp().sum()), 1.0, abs_tol=1e-5)


def test_a_class_without_phrases_never_wins():
    logits = class_logits(torch.ones(1, 1, 2), torch.ones(1, 2), torch.tensor([1]), 2, void=torch.eye(2)[:1])
    assert logits[0, 0, 0] == -torch.inf
    mixed = log_ensemble(logits, logits, ensemble_weights(torch.tensor([True, True]), 0.0, 1.0)).exp()
    assert mixed.isfinite().all() and mixed[0, 0, 0] < 1e-7


def test_shares_and_widths_are_checked():
    with pytest.raises(ValueError, match=r"beta .* in \[0, 1\], got 1\.2"):
        ensemble_weights(torch.tensor([True]), 0.4, 1.2)
    with pytest.raises(ValueError, match="5 columns for 3 classes"):
        log_ensemble(torch.zeros(1, 4), torch.zeros(1, 5), 0.5)
