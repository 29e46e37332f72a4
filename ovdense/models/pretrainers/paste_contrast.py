"""A ViT trained without labels to tell what belongs together: blobs of one picture pasted into another.

Shapes: B pictures, V x V pixels of a view, N patches, D channels, K prototypes.
"""

from __future__ import annotations

import warnings
from copy import deepcopy

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovdense.models.backbones.dino import create_trunk
from ovdense.models.losses.self_supervision import class_token_agreement, region_contrast
from ovdense.models.pretrainers.views import cut_windows, jitter_colours, patch_regions, random_blobs, random_windows
from ovdense.registry import MODELS


class PrototypeHead(nn.Module):
    """Class token (B,D) -> cosines with K prototypes (B,K): DINO's head, small."""

    def __init__(self, channels: int, prototypes: int, hidden: int = 256, bottleneck: int = 64) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, bottleneck))
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(F.normalize(self.mlp(tokens), dim=-1), F.normalize(self.prototypes.weight, dim=-1))


@MODELS.register_module()
class PasteContrastPretrainer(BaseModel):
    """Student and teacher ViT on pictures (B,3,H,W) without labels; the teacher is what is exported.

    The student sees a window of a picture with one or two blobs of other pictures pasted in. Patches of a blob must
    resemble each other and nothing else in the view (``region_contrast``, the idea of copy-paste contrast, arXiv
    2203.11709): what lies inside a closed contour and moves together is one thing. Its class token must say what the
    teacher, the running mean of the student, says of another window of the picture without blobs (DINO, arXiv
    2104.14294). Labels of the data samples are not read.

    Args:
        model: timm name of a VisionTransformer.
        model_options: keyword arguments of ``timm.create_model``; ``img_size`` is the size of the views.
        windows: shortest and longest side of the windows in pixels of the picture.
        blob_windows: the same of what is seen through a blob.
        second_blob: probability of a second blob.
        temperature: of the contrast between regions.
        class_weight: factor of the class-token loss; 0 runs no teacher on the views.
        prototypes: K.
        momentum: of the teacher; it is lower in the first steps.
        centre_momentum: of the teacher's mean logits.
        data_preprocessor: mmengine's; pictures must come out as RGB in [0, 1].
    """

    def __init__(
        self,
        *,
        model: str = "vit_tiny_patch16_224",
        model_options: dict | None = None,
        windows: tuple[float, float] = (40, 96),
        blob_windows: tuple[float, float] = (16, 72),
        second_blob: float = 0.6,
        temperature: float = 0.15,
        class_weight: float = 0.1,
        prototypes: int = 256,
        momentum: float = 0.995,
        centre_momentum: float = 0.9,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        default = dict(type="ImgDataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True)
        super().__init__(data_preprocessor=data_preprocessor or default, init_cfg=init_cfg)
        with warnings.catch_warnings():  # that it starts from random weights is the point
            warnings.filterwarnings("ignore", "no pretrained weights")
            trunk = create_trunk(model, False, model_options or {})
        self.view_size, self.patch = trunk.patch_embed.img_size[0], trunk.patch_embed.patch_size[0]
        self.student = nn.ModuleDict(dict(trunk=trunk, head=PrototypeHead(trunk.embed_dim, prototypes)))
        self.teacher = deepcopy(self.student).requires_grad_(False)
        self.windows, self.blob_windows, self.second_blob = windows, blob_windows, second_blob
        self.temperature, self.class_weight = temperature, class_weight
        self.momentum, self.centre_momentum = momentum, centre_momentum
        for name in ("mean", "std"):
            values = torch.tensor(trunk.pretrained_cfg[name]).view(3, 1, 1)
            self.register_buffer(f"image_{name}", values, persistent=False)
        self.register_buffer("centre", torch.zeros(prototypes))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = "tensor"):
        """Losses in mode ``loss``; else the teacher's patch tokens (B,N,D) of views (B,3,V,V) in [0, 1]."""
        return self.loss(inputs) if mode == "loss" else self.encode(self.teacher, inputs)[:, 1:]

    def encode(self, side: nn.ModuleDict, views: Tensor) -> Tensor:
        """Normed tokens (B,1+N,D), the class token first."""
        return side["trunk"].forward_features((views - self.image_mean) / self.image_std)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Losses of pictures (B,3,H,W) in [0, 1]; the teacher follows the student here."""
        self.update_teacher()
        flipped = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        images = torch.where(flipped, images.flip(-1), images)
        view, regions = self.paste(self.view(images, self.windows), images)
        tokens = self.encode(self.student, view)
        losses = dict(loss_regions=region_contrast(tokens[:, 1:], regions, self.temperature))
        if self.class_weight:
            with torch.no_grad():
                clean = self.encode(self.teacher, self.view(images, self.windows))
                target = self.teacher["head"](clean[:, 0])
            agreement = class_token_agreement(self.student["head"](tokens[:, 0]), target, self.centre)
            losses["loss_class"] = self.class_weight * agreement
            self.centre.lerp_(target.mean(0), 1 - self.centre_momentum)
        return losses

    def view(self, images: Tensor, sides: tuple[float, float]) -> Tensor:
        """A random window of every picture, colours jittered: (B,3,V,V)."""
        windows = random_windows(len(images), tuple(images.shape[-2:]), sides)
        return jitter_colours(cut_windows(images, windows, self.view_size))

    def paste(self, views: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Views (B,3,V,V) with blobs of other pictures, and the region of every patch (B,N)."""
        labels = torch.zeros(len(views), self.view_size, self.view_size, device=views.device)
        for region, probability in ((1, 1.0), (2, self.second_blob)):
            others = images[torch.randperm(len(images), device=images.device)]
            content = self.view(others, self.blob_windows)
            blobs = random_blobs(len(views), self.view_size).to(views)
            blobs = blobs * (torch.rand(len(views), 1, 1, device=views.device) < probability)
            views = torch.lerp(views, content, blobs[:, None])
            labels = torch.where(blobs > 0.5, region, labels)
        return views, patch_regions(labels, 3, self.patch)

    @torch.no_grad()
    def update_teacher(self) -> None:
        """One step of the running mean; the first steps follow faster."""
        momentum = min(self.momentum, 1 - 1 / (self.steps.item() / 2 + 1))
        for target, source in zip(self.teacher.parameters(), self.student.parameters()):
            target.lerp_(source, 1 - momentum)
        self.steps += 1
