import math

import pytest
import torch

from ovdense.models.losses.self_supervision import class_token_agreement, region_contrast

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def test_region_contrast_by_hand():
    """Anchors 0 and 1 (region 1): s = 1 to each other, 0 to the background, at temperature 0.5."""
    features = torch.tensor([[EAST, EAST, NORTH]])
    loss = region_contrast(features, torch.tensor([[1, 1, 0]]), temperature=0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0 - 2)), abs=1e-6)


def test_background_and_mixed_patches_are_no_anchors():
    """The mixed patch counts nowhere; two patches of the background repel and do not attract."""
    features = torch.tensor([[EAST, EAST, NORTH, NORTH, EAST]])
    loss = region_contrast(features, torch.tensor([[1, 1, 0, 0, -1]]), temperature=1.0)
    assert loss.item() == pytest.approx(math.log(1 + 2 * math.exp(-1)), abs=1e-6)


@pytest.mark.parametrize("regions", [[0, 0, 0], [1, 1, 1], [1, 0, 0], [-1, -1, -1]])
def test_nothing_to_compare_costs_nothing(regions):
    features = torch.randn(1, 3, 4, requires_grad=True)
    loss = region_contrast(features, torch.tensor([regions]))
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(features.grad).all()


def test_images_do_not_mix():
    features = torch.randn(2, 6, 8)
    regions = torch.tensor([[1, 1, 0, 0, 2, 2], [1, 1, 1, 0, 0, 0]])
    counts = torch.tensor([2 + 2, 6])  # ordered pairs within regions
    alone = torch.stack([region_contrast(features[i : i + 1], regions[i : i + 1]) for i in (0, 1)])
    assert region_contrast(features, regions).item() == pytest.approx(((alone * counts).sum() / 10).item(), abs=1e-5)


def test_class_token_agreement_by_hand():
    """Teacher logits minus the centre are (1, 0) / 0.5; the student is (0, 1)."""
    student, teacher = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 1.0]])
    first = 1 / (1 + math.exp(-2))
    log_sum = math.log(1 + math.e)
    expected = first * log_sum + (1 - first) * (log_sum - 1)
    loss = class_token_agreement(student, teacher, torch.tensor([2.0, 1.0]), 1.0, 0.5)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
