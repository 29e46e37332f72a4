"""Aggregation of a cost volume: cosines of patches and phrases, refined over space and over phrases (CAT-Seg).

Shapes: B images, T phrases, P prompts of a phrase, C channels of the text space, D hidden channels, G channels of a
guidance, h x w patch grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PHRASES_AT_ONCE = 64
DROPPED = -100.0


class GuidedWindowBlock(nn.Module):
    """A Swin block whose queries and keys see a guidance beside the features, (N,h,w,D) -> (N,h,w,D).

    Grids that the window does not divide are padded, and nothing attends to the padding; a grid that is no larger than
    the window is one window along its shorter side.

    Args:
        width: D.
        guidance: G.
        heads: attention heads.
        window: side of a window in cells.
        shifted: windows lie half a window off.
    """

    def __init__(self, width: int, guidance: int, heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.heads, self.window, self.shifted = heads, window, shifted
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k = nn.Linear(width + guidance, width), nn.Linear(width + guidance, width)
        self.v, self.proj = nn.Linear(width, width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, guidance: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        window = min(self.window, height, width)
        shift = self.window // 2 if self.shifted and window == self.window < min(height, width) else 0
        values = self.norm1(x)
        guided = torch.cat([values, guidance], dim=-1)
        pad = (0, 0, 0, -width % window, 0, -height % window)
        values, guided = (F.pad(part, pad) if any(pad) else part for part in (values, guided))
        size = values.shape[1:3]
        mask = window_mask((height, width), size, window, shift, x.device)
        if shift:
            values, guided = (part.roll((-shift, -shift), dims=(1, 2)) for part in (values, guided))
        values, guided = split_windows(values, window), split_windows(guided, window)
        q, k, v = (
            layer(part).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for layer, part in ((self.q, guided), (self.k, guided), (self.v, values))
        )
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(q.dtype))
        out = join_windows(self.proj(out.transpose(-3, -2).flatten(-2)), size, window)
        if shift:
            out = out.roll((shift, shift), dims=(1, 2))
        x = x + out[:, :height, :width]
        return x + self.mlp(self.norm2(x))


def split_windows(x: Tensor, window: int) -> Tensor:
    """(N,h,w,D) -> (N, windows, window * window, D)."""
    x = x.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def join_windows(x: Tensor, size: tuple[int, int], window: int) -> Tensor:
    """(N, windows, window * window, D) -> (N,h,w,D)."""
    rows, cols = (side // window for side in size)
    x = x.unflatten(1, (rows, cols)).unflatten(3, (window, window))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def window_mask(
    grid: tuple[int, int], size: Sequence[int], window: int, shift: int, device: torch.device
) -> Tensor | None:
    """What is added to attention logits, (windows, 1, cells, cells), or None where all may attend to all.

    Cells that a shift has brought together from opposite sides get -100, as in Swin; padding -inf.

    Args:
        grid: (h, w) of the features.
        size: the same, padded.
    """
    if not shift and tuple(grid) == tuple(size):
        return None
    place = [torch.arange(side, device=device) for side in size]
    region, padding = [], []
    for cells, side, length in zip(place, size, grid):
        part = (cells >= side - window).long() + (cells >= side - shift).long() if shift else torch.zeros_like(cells)
        region.append(part)
        padding.append((cells >= length).roll(-shift) if shift else cells >= length)
    regions = split_windows((region[0][:, None] * 3 + region[1])[None, ..., None], window)[0, ..., 0]
    padded = split_windows((padding[0][:, None] | padding[1])[None, ..., None], window)[0, ..., 0]
    mask = torch.where(regions[:, :, None] != regions[:, None, :], -100.0, 0.0)
    return mask.masked_fill(padded[:, None, :], -torch.inf)[:, None]


class ClassAttention(nn.Module):
    """Linear attention over the phrases at every cell of a pooled grid, (B,T,h,w,D) -> (B,T,h,w,D).

    Up to ``pad_len`` phrases are filled up with a learned token, so that the attention always averages over as many;
    the copies are counted, not made.

    Args:
        width: D.
        guidance: G of the text.
        heads: attention heads.
        pooling: side of the cells that are pooled into one.
        pad_len: number of tokens; 0 for the phrases alone.
    """

    def __init__(self, width: int, guidance: int, heads: int, pooling: int, pad_len: int) -> None:
        super().__init__()
        self.heads, self.pooling, self.pad_len = heads, pooling, pad_len
        self.q, self.k = nn.Linear(width + guidance, width), nn.Linear(width + guidance, width)
        self.v = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        if pad_len:
            self.padding_tokens = nn.Parameter(torch.zeros(1, 1, width))
            self.padding_guidance = nn.Parameter(torch.zeros(1, 1, guidance))

    def forward(self, x: Tensor, guidance: Tensor, pooling: int | None = None) -> Tensor:
        """``guidance``: (B,T,G) of the phrases; ``pooling``: another one than in training."""
        batch, count, height, width, _ = x.shape
        side = min(self.pooling if pooling is None else pooling, height, width)
        pooled = F.avg_pool2d(x.flatten(0, 1).permute(0, 3, 1, 2), side) if side > 1 else None
        tokens = x if pooled is None else pooled.permute(0, 2, 3, 1).unflatten(0, (batch, count))
        grid = tokens.shape[2:4]
        tokens = tokens.permute(0, 2, 3, 1, 4).flatten(0, 2)  # (B * h * w, T, D)
        guides = guidance.repeat_interleave(grid[0] * grid[1], dim=0)
        tokens = tokens + self._attend(self.norm1(tokens), guides)
        tokens = tokens + self.mlp(self.norm2(tokens))
        out = tokens.unflatten(0, (batch, *grid)).permute(0, 3, 1, 2, 4)
        if pooled is not None:
            maps = out.flatten(0, 1).permute(0, 3, 1, 2)
            maps = F.interpolate(maps, size=(height, width), mode="bilinear", align_corners=True)
            out = maps.permute(0, 2, 3, 1).unflatten(0, (batch, count))
        return x + out

    def _attend(self, tokens: Tensor, guidance: Tensor) -> Tensor:
        """Linear attention (arXiv 2006.16236) of normed tokens (N,T,D)."""
        count = tokens.shape[1]
        extra = max(0, self.pad_len - count)
        guided = torch.cat([tokens, guidance], dim=-1)
        q = F.elu(self._heads(self.q(guided))) + 1
        k, v = F.elu(self._heads(self.k(guided))) + 1, self._heads(self.v(tokens)) / (count + extra)
        values, keys = torch.einsum("nshd,nshv->nhdv", k, v), k.sum(dim=1)
        if extra:
            token = self.norm1(self.padding_tokens)
            pad_k = F.elu(self._heads(self.k(torch.cat([token, self.padding_guidance], dim=-1)))) + 1
            pad_v = self._heads(self.v(token)) / (count + extra)
            values = values + extra * torch.einsum("nshd,nshv->nhdv", pad_k, pad_v)
            keys = keys + extra * pad_k[:, 0]
        share = 1 / (torch.einsum("nlhd,nhd->nlh", q, keys.expand(len(q), -1, -1)) + 1e-6)
        return (torch.einsum("nlhd,nhdv,nlh->nlhv", q, values, share) * (count + extra)).flatten(2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))


class AggregationLayer(nn.Module):
    """A pair of guided Swin blocks on each phrase's map, then attention over the phrases."""

    def __init__(
        self, width: int, text_guidance: int, image_guidance: int, heads: int, pooling: int, window: int, pad_len: int
    ) -> None:
        super().__init__()
        self.guidance_norm = nn.LayerNorm(image_guidance)
        self.spatial = nn.ModuleList(
            GuidedWindowBlock(width, image_guidance, heads, window, shifted) for shifted in (False, True)
        )
        self.classes = ClassAttention(width, text_guidance, heads, pooling, pad_len)

    def aggregate_space(self, x: Tensor, guidance: Tensor) -> Tensor:
        """(B,T,h,w,D) with the image's guidance (B,h,w,G)."""
        guidance = self.guidance_norm(guidance)

        def both(part: Tensor) -> Tensor:
            guides = guidance[:, None].expand(-1, part.shape[1], -1, -1, -1).flatten(0, 1)
            maps = part.flatten(0, 1)
            for block in self.spatial:
                maps = block(maps, guides)
            return maps.unflatten(0, part.shape[:2])

        return by_phrases(both, x)

    def forward(self, x: Tensor, image: Tensor, text: Tensor, pooling: int | None = None) -> Tensor:
        return self.classes(self.aggregate_space(x, image), text, pooling)


def by_phrases(function, x: Tensor) -> Tensor:
    """``function`` on some phrases of (B,T,...) at a time; with gradients all at once."""
    if x.requires_grad and torch.is_grad_enabled():
        return function(x)
    return torch.cat([function(part) for part in x.split(PHRASES_AT_ONCE, dim=1)], dim=1)


class GuidedUpsampling(nn.Module):
    """Twice the resolution with a guidance beside it, (N,D,h,w) and (N,G,2h,2w) -> (N,D',2h,2w)."""

    def __init__(self, width: int, out: int, guidance: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(width, width - guidance, 2, 2)
        layers = []
        for channels in (width, out):
            convolution = nn.Conv2d(channels, out, 3, padding=1, bias=False)
            layers += [convolution, nn.GroupNorm(max(1, out // 16), out), nn.ReLU()]
        self.convs = nn.Sequential(*layers)

    def forward(self, x: Tensor, guidance: Tensor) -> Tensor:
        return self.convs(torch.cat([self.up(x), guidance], dim=1))


class CostAggregator(nn.Module):
    """Cosines of patches and phrases -> logits of each phrase by itself at 4 times the resolution (arXiv 2303.11797).

    Any number of phrases and any grid. Of more than ``pad_len`` phrases only those with the highest cosine anywhere in
    a picture are aggregated; the others get -100.

    Args:
        text_dim: C.
        width: D.
        num_layers: aggregation layers.
        heads: attention heads.
        window: of the Swin blocks, in cells.
        pooling: cells that are pooled for the attention over phrases while training.
        test_pooling: the same at test time.
        pad_len: tokens of the attention over phrases; 0 neither fills up nor drops.
        text_guidance, image_guidance: channels of the projected guidance.
        decoder_dims: channels after each of the two upsamplings.
        decoder_guidance: channels of their guidance.
        decoder_guidance_proj: the same, projected.
        prompts: P.
        recompute: recompute the layers in the backward pass to save memory.
    """

    def __init__(
        self,
        *,
        text_dim: int,
        width: int = 128,
        num_layers: int = 2,
        heads: int = 4,
        window: int = 12,
        pooling: int = 2,
        test_pooling: int = 1,
        pad_len: int = 256,
        text_guidance: int = 128,
        image_guidance: int = 128,
        decoder_dims: Sequence[int] = (64, 32),
        decoder_guidance: Sequence[int] = (256, 128),
        decoder_guidance_proj: Sequence[int] = (32, 16),
        prompts: int = 1,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.pad_len, self.test_pooling, self.recompute, self.prompts = pad_len, test_pooling, recompute, prompts
        self.cost_embed = nn.Conv2d(prompts, width, 7, padding=3)
        self.image_guidance = nn.Conv2d(text_dim, image_guidance, 3, padding=1)
        self.text_guidance = nn.Linear(text_dim, text_guidance)
        self.decoder_guidance = nn.ModuleList(
            nn.Conv2d(dim, proj, 3, padding=1) for dim, proj in zip(decoder_guidance, decoder_guidance_proj)
        )
        self.layers = nn.ModuleList(
            AggregationLayer(width, text_guidance, image_guidance, heads, pooling, window, pad_len)
            for _ in range(num_layers)
        )
        dims = (width, *decoder_dims)
        self.decoder = nn.ModuleList(
            GuidedUpsampling(before, after, guidance)
            for before, after, guidance in zip(dims, decoder_dims, decoder_guidance_proj)
        )
        self.head = nn.Conv2d(decoder_dims[-1], 1, 3, padding=1)

    def cost_volume(self, dense: Tensor, text: Tensor) -> Tensor:
        """Cosines (B,T,P,h,w) of dense features (B,C,h,w) and text (T,P,C) or (B,T,P,C)."""
        text = F.normalize(text if text.ndim == 4 else text[None], dim=-1)
        return torch.einsum("bchw,btpc->btphw", F.normalize(dense, dim=1), text.expand(len(dense), -1, -1, -1))

    def keep(self, dense: Tensor, text: Tensor) -> Tensor | None:
        """(B,pad_len) phrases with the highest cosine of any prompt anywhere in the picture; None for all."""
        if not self.pad_len or len(text) <= self.pad_len:
            return None
        best = [self.cost_volume(dense, part).flatten(2).amax(dim=2) for part in text.split(PHRASES_AT_ONCE)]
        return torch.cat(best, dim=1).topk(self.pad_len, dim=1).indices

    def forward(self, dense: Tensor, text: Tensor, guidance: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Logits (B,T',4h,4w) and the phrases (B,T') that they are of, None for all of them.

        Args:
            dense: (B,C,h,w) image features in the text space.
            text: (T,P,C) rows.
            guidance: (B,G,2h,2w) and (B,G,4h,4w) for the decoder.
        """
        kept = self.keep(dense, text)
        chosen = text[None].expand(len(dense), -1, -1, -1) if kept is None else F.normalize(text, dim=-1)[kept]
        x = self.embed(self.cost_volume(dense, chosen))
        image, rows = self.project_guidance(dense, chosen)
        pooling = None if self.training else self.test_pooling
        for layer in self.layers:
            if self.recompute and self.training:
                x = checkpoint(layer, x, image, rows, pooling, use_reentrant=False)
            else:
                x = layer(x, image, rows, pooling)
        return self.decode(x, guidance), kept

    def embed(self, cost: Tensor) -> Tensor:
        """(B,T,P,h,w) -> (B,T,h,w,D)."""
        return by_phrases(
            lambda part: self.cost_embed(part.flatten(0, 1)).permute(0, 2, 3, 1).unflatten(0, part.shape[:2]), cost
        )

    def project_guidance(self, dense: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B,h,w,G) of the image and (B,T,G) of the phrases (B,T,P,C)."""
        image = F.relu(self.image_guidance(dense)).permute(0, 2, 3, 1)
        return image, F.relu(self.text_guidance(F.normalize(text.mean(dim=2), dim=-1)))

    def decode(self, x: Tensor, guidance: Sequence[Tensor]) -> Tensor:
        """(B,T,h,w,D) -> (B,T,4h,4w)."""
        projected = [F.relu(layer(part)) for layer, part in zip(self.decoder_guidance, guidance)]

        def some(part: Tensor) -> Tensor:
            maps = part.flatten(0, 1).permute(0, 3, 1, 2)
            for layer, guide in zip(self.decoder, projected):
                maps = layer(maps, guide[:, None].expand(-1, part.shape[1], -1, -1, -1).flatten(0, 1))
            return self.head(maps)[:, 0].unflatten(0, part.shape[:2])

        return by_phrases(some, x)


def fill_dropped(logits: Tensor, kept: Tensor | None, count: int) -> Tensor:
    """Logits of all ``count`` phrases, -100 for those that were dropped, (B,T',h,w) -> (B,count,h,w)."""
    if kept is None:
        return logits
    out = logits.new_full((len(logits), count, *logits.shape[2:]), DROPPED)
    return out.scatter(1, kept[..., None, None].expand(-1, -1, *logits.shape[2:]), logits)
