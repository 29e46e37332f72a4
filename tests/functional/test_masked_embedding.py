"""Global subtraction and merging, by hand."""

import math

import torch

from ovdense.functional.masked_embedding import global_subtraction, merge_up, segment_override


def test_the_share_that_is_taken_off_follows_the_likeness():
    plain = torch.full((1, 1, 2, 2), 0.5)
    same = global_subtraction(plain, plain, spread=5.0)  # cosine 1: exp(-4 / 5)
    torch.testing.assert_close(same, plain * (1 - math.exp(-0.8)))
    masked = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    share = math.exp(-((math.sqrt(0.5) + 1) ** 2) / 5)
    torch.testing.assert_close(global_subtraction(masked, plain), masked - share * 0.5)
    both = global_subtraction(torch.cat([masked, plain]), torch.cat([plain, plain]))
    torch.testing.assert_close(both[1:], same)  # one segment does not touch another


def test_the_class_token_is_always_seen():
    override = segment_override(torch.zeros(2, 1, 3), spread=None)
    assert override.rule is None and override.mask.tolist() == [[[[1, 0, 0, 0]]]] * 2


def test_children_merge_up_to_where_they_differ():
    images = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [1, 0.05], [1, 1]])
    assert merge_up([(0, 1), (3, 2)], images, None, 3) == [[2], [0, 1]]
    texts = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [1, 0], [1, 0]])
    assert merge_up([(0, 1), (3, 2)], images, texts, 3) == [[0], [1], [2]]  # 0.5 * 1 - 0.5 < 0.8
    assert merge_up([(0, 1), (3, 2)], images, None, 3, threshold=-1.0) == [[0, 1, 2]]
    alike = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0], [1, 0]])
    assert merge_up([(0, 1), (3, 2)], alike, None, 3) == [[0], [1], [2]]  # 3 is no segment, so 2 stays alone
