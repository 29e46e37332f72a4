"""Where the training of a text tower starts: each token a vector, a sentence their mean, by least squares.

Shapes: N sentences, L tokens, V tokens of the vocabulary, D channels of the sentence encoder, W width.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn


def count_tokens(tokens: Tensor, vocab_size: int) -> Tensor:
    """Sparse (N,V): the share of every token id in a row (N,L) padded with 0, and 1 for the end token (largest id)."""
    ends = tokens.argmax(1)
    places = torch.arange(tokens.shape[1])
    rows = torch.arange(len(tokens))[:, None].expand_as(tokens)
    share = torch.where(places == ends[:, None], 1.0, 1 / (ends + 1.0)[:, None])
    real = places <= ends[:, None]
    index = torch.stack([rows[real], tokens[real]])
    return compressed(torch.sparse_coo_tensor(index, share[real], (len(tokens), vocab_size)))


def compressed(matrix: Tensor) -> Tensor:
    """The matrix by rows (CSR), without torch's note that this layout is new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")
        return matrix.coalesce().to_sparse_csr()


@torch.no_grad()
def fit_tokens(counts: Tensor, targets: Tensor, prior: Tensor, ridge: float = 0.3, steps: int = 30) -> Tensor:
    """Token vectors (V,D) whose weighted sums ``counts`` (N,V) come close to ``targets`` (N,D).

    Minimises ``|counts @ E - targets|^2 + ridge * |E - c * prior|^2`` (``c``: the scale at which the prior fits) by
    preconditioned conjugate gradients, so that rare tokens stay near the prior (V,D).
    """
    guess = counts @ prior
    start = prior * ((guess * targets).sum() / guess.square().sum())
    transposed = compressed(counts.to_sparse_coo().t())
    # Frequent tokens weigh thousands of times what rare ones do: dividing by the diagonal makes few steps enough.
    squares = torch.sparse_csr_tensor(
        transposed.crow_indices(), transposed.col_indices(), transposed.values().square(), transposed.shape
    )
    diagonal = squares @ torch.ones(len(counts), 1) + ridge
    residual = transposed @ (targets - counts @ start)
    change, direction = torch.zeros_like(start), residual / diagonal
    error = (residual * direction).sum(0)
    for _ in range(steps):
        product = transposed @ (counts @ direction) + ridge * direction
        length = error / (direction * product).sum(0).clamp(min=1e-12)
        change += length * direction
        residual -= length * product
        scaled = residual / diagonal
        previous, error = error, (residual * scaled).sum(0)
        direction = scaled + (error / previous.clamp(min=1e-12)) * direction
    return start + change


@torch.no_grad()
def start_from_bag(tower: nn.Module, vectors: Tensor, components: Tensor, norm: float, spread: float = 32.0) -> None:
    """Makes a causal ``TextTransformer`` give the direction of the weighted sums of ``count_tokens`` untrained.

    The first block's attention becomes a plain mean of the tokens and everything else adds zero. Two channels that
    cancel each other bring all tokens to one length, so that the layer norm before the attention keeps their weights.

    Args:
        vectors: (V,D) of ``fit_tokens``.
        components: (D,K) orthonormal, K >= W - 2: directions of D that are kept, the important ones first.
        norm: length of the vectors to give out.
        spread: length of the token embeddings; large, so that the first steps of the other weights spoil little.
    """
    width, end = tower.width, tower.vocab_size - 1
    if not isinstance(tower.text_projection, nn.Linear):
        raise ValueError("the tower needs proj_bias=True")
    components = components[:, : width - 2]
    kept = vectors @ components
    scale = spread / kept[:end].norm(dim=1).quantile(0.99)
    kept = kept * scale
    filler = (spread**2 - kept.square().sum(1)).clamp(min=0).sqrt() / 2**0.5
    attention = tower.transformer.resblocks[0].attn
    # The end token's own vector is a constant: a bias, so that the mean does not count it a second time.
    attention.out_proj.bias[:-2] = kept[end]
    kept[end], filler[end] = 0, 0.1
    tower.token_embedding.weight.copy_(torch.cat([kept, filler[:, None], -filler[:, None]], 1))
    tower.positional_embedding.mul_(0.1)
    for block in tower.transformer.resblocks:
        for value in (block.attn.out_proj.weight, block.mlp.c_proj.weight, block.mlp.c_proj.bias):
            value.zero_()
    keep = torch.eye(width)
    keep[-2:] = 0
    attention.in_proj_weight[: 2 * width].mul_(0.05)  # near a plain mean
    attention.in_proj_weight[2 * width :] = keep
    attention.out_proj.weight.copy_(keep * (spread / width**0.5))
    projection = torch.cat([components, torch.zeros(len(components), 2)], 1)
    tower.text_projection.weight.copy_(projection * (norm / width**0.5))
