"""ResCLIP's parts against loops written from the paper's and the official code's words."""

import math

import pytest
import torch

from ovdense.functional.attention import HeadTokens, gaussian_bias, get_attention_variant
from ovdense.functional.attention_resclip import feedback_affinity, patch_labels, straight_paths

LABELS = torch.tensor([[[0, 1, 0], [0, 1, 0]], [[2, 2, 2], [0, 0, 2]]])


def path_by_loops(labels, start, end, longest=None):
    """Whether every cell on the line has the label of the start; ``longest``: the official pace."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    for step in range(1, steps + 1):
        share = step / (longest or steps)
        cell = [round(a * (1 - share) + b * share) for a, b in zip(start, end)]
        if labels[cell[0]][cell[1]] != labels[start[0]][start[1]]:
            return False
    return True


def affinity_by_loops(labels, std, quirks):
    """Feedback affinity of one label grid, (N, N)."""
    h, w = len(labels), len(labels[0])
    cells, longest = [(i, j) for i in range(h) for j in range(w)], max(h, w) - 1
    size = min(h * w, int(6 * std + 1)) | 1
    kernel = [math.exp(-((x - size // 2) ** 2) / (2 * std**2)) for x in range(size)]
    out = []
    for a in cells:
        row = []
        for b in cells:
            steps = max(abs(a[0] - b[0]), abs(a[1] - b[1]))
            value = float(labels[a[0]][a[1]] == labels[b[0]][b[1]])
            straight = path_by_loops(labels, a, b, longest if quirks else None)
            row.append(value if straight else value * math.exp(-steps / longest))
        blurred = [
            sum(
                kernel[k] / sum(kernel) * row[n + k - size // 2]
                for k in range(size)
                if 0 <= n + k - size // 2 < len(row)
            )
            for n in range(len(row))
        ]
        out.append([value / (sum(blurred) + 1e-8) for value in blurred])
    table = torch.tensor(out)
    table = table / table.max()
    return table.half().float() if quirks else table


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("std", [0.6, 5.0])
def test_affinity_equals_the_loops(std, quirks):
    torch.manual_seed(3)
    labels = torch.randint(0, 3, (3, 4, 7))
    actual = feedback_affinity(labels, std, official_quirks=quirks)
    expected = torch.stack([affinity_by_loops(one.tolist(), std, quirks) for one in labels])
    torch.testing.assert_close(actual, expected, atol=1e-3 if quirks else 1e-6, rtol=1e-3 if quirks else 1e-5)


def test_a_line_of_another_label_keeps_apart():
    paths = straight_paths(LABELS)
    assert not paths[0, 0, 2] and not paths[0, 0, 5]  # across the column of ones
    assert paths[0, 0, 3] and paths[0, 1, 4] and paths[0].diagonal().all()
    assert paths[1, 0, 2] and paths[1, 2, 5]
    assert straight_paths(torch.zeros(1, 1, 1)).all()


def test_the_official_pace_looks_at_a_part_of_short_lines():
    labels = torch.zeros(1, 1, 13, dtype=torch.long)
    labels[0, 0, 2] = 1
    assert not straight_paths(labels)[0, 0, 4]
    assert straight_paths(labels, official_quirks=True)[0, 0, 4]  # 1/3, 2/3, 1 and 4/3 of a cell: cells 0 and 1


def test_pairs_far_apart_attract_less():
    table = feedback_affinity(LABELS[:1], std=0.1)[0]  # a blur this narrow does nothing
    row = [1, 0, math.exp(-1), 1, 0, math.exp(-1)]
    assert table[0].tolist() == pytest.approx([value / sum(row) / 0.5 for value in row], rel=1e-5)
    assert table[1].tolist() == pytest.approx([0, 1, 0, 0, 1, 0], abs=1e-6)  # two cells share a row: 0.5 each
    apart = feedback_affinity(LABELS[:1], std=0.1, keep_apart=False)[0]
    assert apart[0].tolist() == pytest.approx([0.5, 0, 0.5, 0.5, 0, 0.5], rel=1e-5)


def test_labels_of_patches_are_the_most_frequent():
    labels = torch.tensor([[[3, 3, 1, 2, 9], [3, 0, 2, 1, 9]]])
    assert patch_labels(labels, (1, 2), 2).tolist() == [[[3, 1]]]  # of 1 and 2, twice each, the smaller
    with pytest.raises(ValueError, match=r"do not cover \(2, 2\) cells"):
        patch_labels(labels, (2, 2), 2)


@pytest.mark.parametrize("feedback", [False, True])
def test_attention_equals_the_formula(feedback):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 7, 8)
    tokens = HeadTokens(q=q, k=k, v=v, grid=(2, 3), scale=8**-0.5)
    recorded, sfr = torch.rand(2, 4, 7, 7), torch.rand(2, 6, 6)
    logits = k @ k.transpose(-2, -1) * 8**-0.5
    if feedback:
        table = torch.zeros(2, 1, 7, 7)
        table[:, 0, 1:, 1:] = sfr
        logits = 1.8 * (0.4 * logits + 0.6 * table)
    weights = (logits + gaussian_bias((2, 3), 3.0, like=q)).softmax(-1)
    expected = 2.0 * (0.7 * weights + 0.3 * recorded) @ v
    actual = get_attention_variant("resclip").function(
        tokens,
        recorded=recorded,
        std=3.0,
        rcs_weights=(2.0, 0.3),
        sfr=sfr if feedback else None,
        sfr_weights=(1.8, 0.6),
    )
    torch.testing.assert_close(actual, expected)
