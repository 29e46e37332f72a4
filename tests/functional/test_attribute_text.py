"""Enriched class rows and surgery maps, by hand."""

import pytest
import torch

from ovdense.functional.attribute_text import cluster_attributes, enrich_rows, normalise_tokens, surgery_maps


def test_descriptions_that_are_alike_share_an_attribute():
    rows = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [-1, 0]])
    centres = cluster_attributes(rows, 3)
    found = sorted(tuple(round(value, 2) for value in row) for row in centres.tolist())
    assert found == [(-1, 0), (0.05, 0.95), (0.95, 0.05)]
    assert torch.equal(cluster_attributes(rows, 9), rows)
    with pytest.raises(ValueError, match="1 or more clusters, got 0"):
        cluster_attributes(rows, 0)


def test_the_least_alike_attributes_get_nothing():
    attributes = torch.cat([torch.eye(2), -torch.eye(2)]).repeat(3, 1)[:10]
    rows = torch.tensor([[1.0, 0.0]])
    scores = (rows @ attributes.T)[0]
    kept = torch.ones(10, dtype=torch.bool)
    kept[scores.argmin()] = False  # int(0.1 * 10) = 1
    weights = scores.masked_fill(~kept, float("-inf")).softmax(0)
    expected = torch.nn.functional.normalize(weights @ attributes + rows, dim=1)
    torch.testing.assert_close(enrich_rows(rows, attributes), expected)
    torch.testing.assert_close(enrich_rows(rows, attributes, keep=1.0).norm(), torch.tensor(1.0))


def test_maps_are_stretched_and_hold_what_sets_classes_apart():
    tokens = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]])
    maps = surgery_maps(normalise_tokens(tokens), torch.eye(2))
    torch.testing.assert_close(maps[0], torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(normalise_tokens(tokens, official_quirks=True).norm(dim=1), torch.ones(1, 2))
