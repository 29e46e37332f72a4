import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.similarity import denoise_prompts, minmax_normalize, pixel_logits, smooth_by_keys, synonym_max


def test_pixel_logits_are_scaled_cosines():
    features = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(2, 2, 3, 5)
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -4.0]])
    logits = pixel_logits(features, rows, scale=10.0)
    assert logits.shape == (2, 3, 3, 5)
    torch.testing.assert_close(logits[1, :, 2, 4], torch.tensor([6.0, 8.0, -10.0]))


def test_pixel_logits_name_both_widths():
    with pytest.raises(ValueError, match=r"have 7 channels but the dense features have 8"):
        pixel_logits(torch.randn(1, 8, 2, 2), torch.randn(3, 7))


def test_synonym_max_takes_the_best_phrase_and_leaves_silent_classes_out():
    logits = torch.tensor([[1.0, 5.0, 2.0, -1.0]])[..., None, None].expand(1, 4, 2, 3)
    best = synonym_max(logits, torch.tensor([0, 0, 2, 2]), 4)
    assert best.shape == (1, 4, 2, 3)
    assert best[0, :, 0, 0].tolist() == [5.0, -torch.inf, 2.0, -torch.inf]
    with pytest.raises(ValueError, match="4 phrase logits but 3"):
        synonym_max(logits, torch.tensor([0, 1, 2]), 3)


def test_denoising_drops_phrases_that_win_nowhere():
    logits = torch.tensor([[[0.9, 0.1], [0.1, 0.9], [0.2, 0.2]]]).unsqueeze(2)  # (1, 3 phrases, 1, 2)
    kept = denoise_prompts(logits, 0.5)
    torch.testing.assert_close(kept[:, :2], logits[:, :2])
    assert (kept[:, 2] == -100).all()


def test_smoothing_copies_from_patches_with_equal_keys():
    # Patches 0 and 1 share a key, patch 2 has another at a right angle; patch 1 is unsure.
    logits = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]).unsqueeze(2)
    keys = torch.tensor([[[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]]).unsqueeze(2)
    smoothed = smooth_by_keys(logits, keys, 0.9)
    torch.testing.assert_close(smoothed[0, :, 0, 0], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(smoothed[0, :, 0, 1], torch.tensor([0.75, 0.25]))  # mean of (1, 0) and (.5, .5)
    torch.testing.assert_close(smoothed[0, :, 0, 2], torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"keys lie on a \(2, 2\) grid"):
        smooth_by_keys(logits, torch.randn(1, 2, 2, 2), 0.9)


def test_smoothing_over_tokens_is_the_official_formula():
    logits, keys = torch.randn(2, 4, 3, 5) * 0.02, torch.randn(2, 6, 3, 5)
    probability = (logits * 100).softmax(1).flatten(2)
    tokens = F.normalize(keys.flatten(2).transpose(1, 2), dim=1)
    expected = (tokens @ tokens.transpose(1, 2) @ probability.transpose(1, 2)).transpose(1, 2).unflatten(2, (3, 5))
    torch.testing.assert_close(smooth_by_keys(logits, keys, 1.0, over_tokens=True), expected)


def test_minmax_stretches_each_map():
    maps = torch.tensor([[2.0, 4.0, 6.0], [1.0, 1.0, 1.0]]).view(1, 2, 1, 3)
    stretched = minmax_normalize(maps)
    assert stretched[0, 0, 0].tolist() == [0.0, 0.5, 1.0]
    assert stretched[0, 1, 0].tolist() == [0.0, 0.0, 0.0]
