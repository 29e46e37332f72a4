"""Which proposals belong to which true mask, and how alike their embeddings are."""

import pytest
import torch

from ovdense.models.losses.mask_consistency import consistency_loss, match_proposals


def rows(*lines):
    return torch.tensor(lines)[:, None].bool()  # each a mask of one line


def test_proposals_go_with_the_mask_that_they_cover_best():
    proposals = rows([1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0] * 6)
    masks = rows([1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1])
    # IoUs with the best mask: 2/3 (0), 2/3 (1), 1 (0), 1/2 (0), 0
    order, partner = match_proposals(proposals, masks, 0.6, 8)
    assert order.tolist() == [2, 0, 1] and partner.tolist() == [0, 0, 1]
    order, partner = match_proposals(proposals, masks, 0.6, 2)
    assert order.tolist() == [2, 0]
    assert match_proposals(proposals, masks, 1.0, 8)[0].tolist() == [2]


def test_masks_of_another_size_count_on_the_proposals_grid():
    masks = torch.zeros(1, 8, 12)
    masks[0, :, :5] = 1  # 2.5 cells of 2 pixels: half a cell is not enough
    proposals = torch.zeros(1, 4, 6, dtype=torch.bool)
    proposals[0, :, :2] = True
    assert match_proposals(proposals, masks, 1.0, 8)[0].tolist() == [0]


@pytest.mark.parametrize("counts", [(0, 2), (2, 0), (0, 0)])
def test_nothing_to_match(counts):
    order, partner = match_proposals(torch.ones(counts[0], 2, 2).bool(), torch.ones(counts[1], 4, 4), 0.5, 8)
    assert order.tolist() == partner.tolist() == []


def test_consistency_is_zero_for_the_same_direction():
    first = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert consistency_loss(first, 3 * first).item() == pytest.approx(0.0, abs=1e-6)
    assert consistency_loss(first, first.flip(1)).item() == pytest.approx(1.0)
    assert consistency_loss(first[:0], first[:0]).item() == 0.0
