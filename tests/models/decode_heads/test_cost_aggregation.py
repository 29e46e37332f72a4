"""CAT-Seg's aggregation: any grid and count of phrases, what is dropped, and what learns."""

import pytest
import torch
from torch import nn

from ovdense.models.backbones.fine_tuning import tune_tower
from ovdense.models.decode_heads.cost_aggregation import (
    CostAggregator,
    fill_dropped,
    join_windows,
    split_windows,
    window_mask,
)


def aggregator(**options):
    torch.manual_seed(0)
    sizes = dict(text_dim=8, width=16, num_layers=1, heads=2, window=4, pad_len=6, text_guidance=4, image_guidance=4)
    decoder = dict(decoder_dims=(16, 16), decoder_guidance=(4, 4), decoder_guidance_proj=(4, 4))
    return CostAggregator(**{**sizes, **decoder, **options}).eval()


def inputs(batch, grid, seed=1):
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(batch, 8, *grid, generator=generator)
    guidance = [torch.randn(batch, 4, grid[0] * f, grid[1] * f, generator=generator) for f in (2, 4)]
    return dense, guidance


@torch.no_grad()
@pytest.mark.parametrize("grid", [(8, 8), (5, 7), (3, 9), (1, 1)])
@pytest.mark.parametrize("phrases", [1, 5, 9])
def test_a_batch_changes_nothing(grid, phrases):
    model, (dense, guidance) = aggregator(), inputs(2, grid)
    text = torch.randn(phrases, 1, 8, generator=torch.Generator().manual_seed(2))
    together, kept = model(dense, text, guidance)
    together = fill_dropped(together, kept, phrases)
    assert together.shape == (2, phrases, 4 * grid[0], 4 * grid[1]) and together.isfinite().all()
    for index in range(2):
        alone, own = model(dense[index : index + 1], text, [part[index : index + 1] for part in guidance])
        torch.testing.assert_close(fill_dropped(alone, own, phrases)[0], together[index], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_phrases_of_the_lowest_cosines_are_dropped():
    model = aggregator(pad_len=2)
    dense, guidance = torch.zeros(1, 8, 4, 4), inputs(1, (4, 4))[1]
    dense[:, 0] = 1.0
    text = torch.eye(8)[[1, 0, 2]] + torch.tensor([0.1, 0.0, 0.3])[:, None] * torch.eye(8)[0]
    logits, kept = model(dense, text[:, None], guidance)
    assert sorted(kept[0].tolist()) == [1, 2]
    assert (fill_dropped(logits, kept, 3)[0, 0] == -100).all()


def test_windows_come_apart_and_together():
    x = torch.arange(2 * 4 * 6).float().view(2, 4, 6, 1)
    parts = split_windows(x, 2)
    assert parts.shape == (2, 6, 4, 1) and parts[0, 1, :, 0].tolist() == [2, 3, 8, 9]
    torch.testing.assert_close(join_windows(parts, (4, 6), 2), x)


def test_padding_is_never_attended_to():
    mask = window_mask((2, 3), (2, 4), 2, 0, torch.device("cpu"))
    assert mask.shape == (2, 1, 4, 4)
    assert (mask[0] == 0).all() and mask[1, 0, 0].tolist() == [0, -torch.inf, 0, -torch.inf]


def test_only_the_named_projections_learn():
    tower = nn.Module()
    tower.attn = nn.MultiheadAttention(8, 2, batch_first=True)
    tower.positional_embedding = nn.Parameter(torch.zeros(3, 8))
    x = torch.randn(1, 3, 8)
    before = tower.attn(x, x, x)[0]
    tune_tower(tower, ("q", "v", "position"))
    torch.testing.assert_close(tower.attn(x, x, x)[0], before)
    learning = {name for name, parameter in tower.named_parameters() if parameter.requires_grad}
    assert learning == {"attn.q_proj_weight", "attn.v_proj_weight", "positional_embedding"}
    with pytest.raises(ValueError, match="finetune takes some of"):
        tune_tower(tower, ("values",))
