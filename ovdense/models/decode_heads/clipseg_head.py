"""CLIPSeg's decoder (arXiv 2112.10003): tokens of a frozen CLIP, modulated by a prompt, to one mask.

Shapes: B images, S prompts, L stages, T = 1 + h * w tokens, C channels of the text space, D of the decoder.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CLIPSegHead(BaseModule):
    """``stages`` of a ViT and prompts -> logits of each prompt by itself, (B,S,h*p,w*p) for patches of p pixels.

    The backbone needs ``attention="vanilla"``, ``out_indices`` of the stages, shallowest first ((3, 7, 9) in the
    released weights), and ``capture=("stages",)``. Prompts are raw embeddings, not of unit length.

    Args:
        text_dim: C.
        map_channels: channels of the backbone's tokens.
        num_stages: L.
        width: D; 64 in rd64, 16 in rd16.
        heads: of the decoder's attention.
        feedforward: hidden channels of the decoder's MLPs.
        dropout: in training.
        patch_size: p.
        refined: a 3 x 3 convolution and two upsamplings in the place of one.
        ignore_index: label that says nothing about a pixel.
    """

    uses_text = True
    gives_probability = False

    def __init__(
        self,
        *,
        text_dim: int = 512,
        map_channels: int = 768,
        num_stages: int = 3,
        width: int = 64,
        heads: int = 4,
        feedforward: int = 2048,
        dropout: float = 0.1,
        patch_size: int = 16,
        refined: bool = False,
        ignore_index: int = 255,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.text_dim, self.ignore_index = text_dim, ignore_index
        self.film_mul, self.film_add = nn.Linear(text_dim, width), nn.Linear(text_dim, width)
        self.reduces = nn.ModuleList(nn.Linear(map_channels, width) for _ in range(num_stages))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, feedforward, dropout, batch_first=True) for _ in range(num_stages)
        )
        self.upsample = build_upsample(width, patch_size, refined)

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Logits (B,S,H,W) of the prompts (S,C) in every image, H and W those of the padded images."""
        return self.decode(features, rows[None].expand(len(features), -1, -1))

    def decode(self, features: DenseFeatures, prompts: Tensor) -> Tensor:
        """Logits (B,S,H,W) of each image's own prompts (B,S,C)."""
        batch, count = prompts.shape[:2]
        *_, x = self.steps(features, prompts)
        maps = x[:, 1:].transpose(1, 2).unflatten(2, features.grid)
        return self.upsample(maps).unflatten(0, (batch, count))[:, :, 0]

    def steps(self, features: DenseFeatures, prompts: Tensor):
        """Yields the input and the output of each block in turn, (B*S,T,D), deepest stage first."""
        stages = features.extras.get("stages")
        if stages is None or stages.shape[1] != len(self.reduces):
            got = "none" if stages is None else f"{stages.shape[1]}"
            raise ValueError(
                f"CLIPSegHead reads {len(self.reduces)} stages: set out_indices and capture=('stages',) of a ViT "
                f"backbone, got {got}"
            )
        prompts = prompts.to(stages)
        x = None
        for index, (reduce, block) in enumerate(zip(self.reduces, self.blocks)):
            tokens = reduce(stages[:, -1 - index])[:, None]
            if x is None:
                tokens = self.film_mul(prompts)[:, :, None] * tokens + self.film_add(prompts)[:, :, None]
                x = tokens.flatten(0, 1)
            else:
                x = tokens.expand(-1, prompts.shape[1], -1, -1).flatten(0, 1) + x
            yield x
            x = block(x)
            yield x

    def loss(self, features: DenseFeatures, prompts: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Binary cross-entropy of each image's prompt (B,C) with its label map of 0, 1 and ``ignore_index``."""
        logits = self.decode(features, prompts[:, None])
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
        left, top, _, _ = features.padding
        height, width = features.image_size or logits.shape[-2:]
        logits = logits[:, 0, top : top + height, left : left + width]
        if labels.shape != logits.shape:
            raise ValueError(
                f"label maps must be of the pictures' size, got {tuple(labels.shape)} and {tuple(logits.shape)}"
            )
        known = labels != self.ignore_index
        if bool(((labels > 1) & known).any()):
            raise ValueError(
                f"a phrase's label map holds 0, 1 and {self.ignore_index}, got {int(labels[known].max())}: put "
                "PickPhrase into the pipeline of a data set with classes"
            )
        loss = F.binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none")
        return dict(loss_bce=(loss * known).sum() / known.sum().clamp(min=1))


def build_upsample(width: int, patch_size: int, refined: bool) -> nn.Module:
    """Layers from the tokens' map to a logit for every pixel, (N,D,h,w) -> (N,1,h*p,w*p)."""
    if not refined:
        return nn.ConvTranspose2d(width, 1, patch_size, stride=patch_size)
    step = patch_size // 4
    if patch_size % 4:
        raise ValueError(f"the refined decoder needs patches of a multiple of 4 pixels, got {patch_size}")
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, width // 2, 4, stride=4),
        nn.ReLU(),
        nn.ConvTranspose2d(width // 2, 1, step, stride=step),
    )
