"""Last-block attention variants: what patch tokens look at, as small pure functions of queries, keys and values.

A variant takes ``HeadTokens`` and returns the averaged values (B, H, T, d). To add one, write such a function and
decorate it; its keyword arguments become ``attention_options`` of the backbones:

    @attention_variant("kq", residual=False, mlp=False)
    def key_query(tokens: HeadTokens) -> Tensor:
        return attend(tokens.k, tokens.q, tokens)

Shapes: B images, H heads, d channels of a head, D = H * d, T = P + h * w tokens, the P class and register tokens first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class HeadTokens:
    """Queries, keys and values (B, H, T, d) of one block, and what the variants know besides.

    Args:
        q: queries; None where the variant asks for values only.
        k: keys; None where the variant asks for values only.
        v: values.
        grid: (h, w) of the patch grid.
        scale: factor of the logits, d ** -0.5 in CLIP.
        prefix: P, the number of class and register tokens.
        inputs: (B, T, D) block input after its first layer norm.
        averaged: (B, H, T, e) what the attention averages; the values when not given.
    """

    q: Tensor | None
    k: Tensor | None
    v: Tensor
    grid: tuple[int, int]
    scale: float
    prefix: int = 1
    inputs: Tensor | None = None
    averaged: Tensor | None = None

    @property
    def target(self) -> Tensor:
        return self.v if self.averaged is None else self.averaged


@dataclass(frozen=True)
class AttentionVariant:
    """A variant and the rest of the block that its paper keeps.

    Args:
        function: ``(HeadTokens, **options) -> (B, H, T, d)``.
        residual: adds the block input, unless the backbone says otherwise.
        mlp: runs the block's MLP, unless the backbone says otherwise.
        needs_qk: False when queries and keys need not be computed.
        streams: 2 when the variant runs beside the ordinary stream in several blocks (GEM).
        tail: for methods that need the outputs of earlier blocks (SC-CLIP): ``(hidden, grid, prefix, last_block,
            **options) -> patches (B, h*w, D)``, which calls ``last_block(patches, **kwargs)``, the variant on patches
            alone, as often as it likes.
        recorded: blocks (from 0) whose mean attention the function gets as ``recorded`` (B, H, T, T) (ResCLIP), see
            ``usual_block``; the option ``blocks`` names others.
        cls_residual: what is added as the residual is the class token of the block's input, to every token (CAT-Seg).
    """

    name: str
    function: Callable[..., Tensor]
    residual: bool
    mlp: bool
    needs_qk: bool = True
    streams: int = 1
    tail: Callable[..., Tensor] | None = None
    recorded: tuple[int, ...] = ()
    cls_residual: bool = False

    def residual_of(self, x: Tensor) -> Tensor:
        """What the block adds its branch to, for its input (B, T, D)."""
        return x[:, :1].expand_as(x) if self.cls_residual else x


ATTENTION_VARIANTS: dict[str, AttentionVariant] = {}


def attention_variant(name: str, *, residual: bool, mlp: bool, **traits: object):
    """Decorator that puts a function into ``ATTENTION_VARIANTS``; ``traits`` are the other fields of the variant."""

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        ATTENTION_VARIANTS[name] = AttentionVariant(name, function, residual, mlp, **traits)
        return function

    return register


def get_attention_variant(name: str) -> AttentionVariant:
    """The variant of that name; ValueError lists what there is."""
    if name not in ATTENTION_VARIANTS:
        raise ValueError(f"attention must be one of {sorted(ATTENTION_VARIANTS)}, got {name!r}")
    return ATTENTION_VARIANTS[name]


def usual_block(index: int, count: int) -> int:
    """Block ``index`` of papers that use models of 12 blocks or more, for one with ``count`` blocks before its last.

    The same number where there are 11 or more, as the official code does for ViT-B and ViT-L; the same relative depth
    in smaller models.
    """
    return index if count >= 11 else index * count // 11


def attend(a: Tensor, b: Tensor, tokens: HeadTokens, bias: Tensor | None = None, scale: float | None = None) -> Tensor:
    """softmax(scale * a b^T + bias) averaged, (B,H,T,d) x 2 -> (B,H,T,d); ``scale`` is the block's own by default."""
    bias = None if bias is None else bias.to(a.dtype)
    scale = tokens.scale if scale is None else scale
    return F.scaled_dot_product_attention(a, b, tokens.target, attn_mask=bias, scale=scale)


def attention_map(variant: AttentionVariant, tokens: HeadTokens, **options) -> Tensor:
    """The attention weights (B, H, T, T) of a variant: every variant is linear in what it averages, so average I."""
    batch, heads, length, _ = tokens.v.shape
    identity = torch.eye(length, dtype=tokens.v.dtype, device=tokens.v.device).expand(batch, heads, -1, -1)
    return variant.function(replace(tokens, averaged=identity), **options)


def gaussian_bias(grid: tuple[int, int], std: float, prefix: int = 1, *, like: Tensor) -> Tensor:
    """exp(-distance^2 / (2 std^2)) between cells, peak 1, and 0 for the leading tokens: (T, T).

    NACLIP (arXiv 2404.08181), section 3.2: added to the logits, so that a patch prefers its neighbours.
    """
    if std <= 0:
        raise ValueError(f"std of the Gaussian window must be positive (in grid cells), got {std}")
    axes = []
    for length in grid:
        place = torch.arange(length, device=like.device, dtype=torch.float32)
        axes.append(torch.exp(-((place[:, None] - place[None]) ** 2) / (2 * std**2)))
    return F.pad(torch.kron(*axes), (prefix, 0, prefix, 0)).to(like.dtype)


@attention_variant("vanilla", residual=True, mlp=True)
def vanilla(tokens: HeadTokens) -> Tensor:
    """softmax(q k^T): the block as it was trained."""
    return attend(tokens.q, tokens.k, tokens)


@attention_variant("value", residual=True, mlp=True, needs_qk=False)
def value(tokens: HeadTokens) -> Tensor:
    """Every token keeps its own value. MaskCLIP (arXiv 2112.01071), section 3.2; residual and MLP stay."""
    return tokens.target


@attention_variant("value+cls", residual=True, mlp=True, needs_qk=False, cls_residual=True)
def value_on_class_token(tokens: HeadTokens) -> Tensor:
    """Every token keeps its own value, on top of the class token instead of itself. CAT-Seg (arXiv 2303.11797)."""
    return tokens.target


@attention_variant("identity", residual=False, mlp=False, needs_qk=False)
def identity(tokens: HeadTokens) -> Tensor:
    """The value path without residual and MLP: what ClearCLIP's tables call MaskCLIP."""
    return tokens.target


@attention_variant("qq", residual=False, mlp=False)
def query_query(tokens: HeadTokens) -> Tensor:
    """softmax(q q^T). ClearCLIP (arXiv 2407.12442), section 3.3."""
    return attend(tokens.q, tokens.q, tokens)


@attention_variant("kk", residual=False, mlp=False)
def key_key(tokens: HeadTokens) -> Tensor:
    """softmax(k k^T)."""
    return attend(tokens.k, tokens.k, tokens)


@attention_variant("qq+kk", residual=True, mlp=True)
def correlative(tokens: HeadTokens) -> Tensor:
    """softmax(q q^T) + softmax(k k^T), rows that sum to 2. SCLIP (arXiv 2312.01597), eq. 5."""
    return query_query(tokens) + key_key(tokens)


@attention_variant("kk+gaussian", residual=False, mlp=False)
def key_key_gaussian(tokens: HeadTokens, *, std: float = 5.0) -> Tensor:
    """softmax(k k^T + Gaussian window). NACLIP (arXiv 2404.08181); ``std`` in grid cells."""
    bias = gaussian_bias(tokens.grid, std, tokens.prefix, like=tokens.k)
    return attend(tokens.k, tokens.k, tokens, bias)


@attention_variant("nonly", residual=False, mlp=False)
def neighbourhood_only(tokens: HeadTokens, *, std: float = 5.0) -> Tensor:
    """softmax of the Gaussian window alone, scaled as q k^T would be. NACLIP's ablation; ``std`` in grid cells."""
    size = tokens.q.norm(dim=-1).mean(-1) * tokens.k.norm(dim=-1).mean(-1)  # (B, H), mean |q| |k| over pairs of tokens
    weight = tokens.scale * size.mean(dim=1)[:, None, None, None]
    bias = gaussian_bias(tokens.grid, std, tokens.prefix, like=tokens.k)
    return (bias * weight).softmax(dim=-1) @ tokens.target


@attention_variant("proxy", residual=False, mlp=False)
def proxy(
    tokens: HeadTokens, *, affinity: Tensor, beta: float = 1.2, gamma: float = 3.0, mean: str = "image"
) -> Tensor:
    """softmax of another model's patch affinity, weak links cut. ProxyCLIP (arXiv 2408.04883), eq. 4 and 5.

    Args:
        affinity: (B, h*w, h*w) cosines between the patches of the other model, on this grid; class and register
            tokens are left out and keep their own value.
        beta, gamma, mean: see ``proxy_weights``.
    """
    if affinity.shape[-1] != tokens.grid[0] * tokens.grid[1]:
        raise ValueError(
            f"proxy affinity must be (B, h*w, h*w) for the grid {tokens.grid}, got {tuple(affinity.shape)}: "
            "resize the other model's features to this grid first, or use the ProxyBackbone"
        )
    weights = proxy_weights(affinity, beta, gamma, mean)[:, None].to(tokens.v.dtype)
    leading, patches = tokens.target[:, :, : tokens.prefix], tokens.target[:, :, tokens.prefix :]
    return torch.cat([leading, weights @ patches], dim=2)


def proxy_weights(affinity: Tensor, beta: float = 1.2, gamma: float = 3.0, mean: str | Tensor = "image") -> Tensor:
    """softmax(gamma (S - beta mean(S))) without its negative logits, (B, M, M) -> (B, M, M).

    A patch that is left without any link (all alike, as on a blank picture, so that nothing lies above ``beta`` times
    the mean) keeps all of them; the official code gives NaN there.

    Args:
        affinity: S, cosines between the patches of another model.
        beta: share of the mean affinity that is subtracted.
        gamma: inverse temperature.
        mean: ``image`` (a mean per image), ``batch`` (over the whole batch, as in the official code), or (B,) means
            worked out elsewhere.
    """
    if isinstance(mean, Tensor):
        center = mean[:, None, None]
    else:
        center = affinity.mean() if mean == "batch" else affinity.mean(dim=(-2, -1), keepdim=True)
    logits = (affinity - beta * center) * gamma
    weak = logits < 0
    weak &= ~weak.all(dim=-1, keepdim=True)
    return logits.masked_fill(weak, float("-inf")).softmax(dim=-1)


def patch_affinity(maps: Tensor) -> Tensor:
    """Cosines between all patches of a map, (B, D, h, w) -> (B, h*w, h*w)."""
    unit = F.normalize(maps, dim=1).flatten(2)
    return unit.transpose(1, 2) @ unit


def mean_affinity(maps: Tensor) -> Tensor:
    """Mean of ``patch_affinity`` over all pairs, (B, D, h, w) -> (B,): the squared length of the mean unit vector."""
    return F.normalize(maps, dim=1).mean(dim=(-2, -1)).square().sum(dim=1)


@attention_variant("gem", residual=True, mlp=False, streams=2)
def self_self(
    tokens: HeadTokens, *, iterations: int = 1, temperature: float | None = None, depth: int | None = None
) -> Tensor:
    """Mean of the refined v v^T, k k^T and q q^T attentions. GEM (arXiv 2312.00878), section 3.

    Args:
        iterations: rounds of z <- softmax(t z z^T) z, each followed by normalising z.
        temperature: t; None = scale * mean length of the block input's tokens, per image.
        depth: read by the backbone: the last ``depth - 1`` blocks run the second stream.
    """
    if temperature is None:
        t = tokens.scale * tokens.inputs.norm(dim=-1).mean(dim=-1)[:, None, None, None]
    else:
        t = temperature
    total = torch.zeros_like(tokens.target)
    for z in (tokens.v, tokens.k, tokens.q):
        z = F.normalize(z, dim=-1)
        for _ in range(iterations):
            z = F.normalize(F.scaled_dot_product_attention(z * t, z, z, scale=1.0), dim=-1)
        total = total + F.scaled_dot_product_attention(z * t, z, tokens.target, scale=1.0)
    return total / 3
