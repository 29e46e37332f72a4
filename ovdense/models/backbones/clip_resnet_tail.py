"""The other half of CLIP's ModifiedResNet: RoIAlign, layer4 and the attention pool, a region at a time.

The order of work is not the official one, the result is: what is linear and acts on single cells moves before RoIAlign,
where it runs once for the picture, and the pool computes the one query that is used.

Shapes: B images, R regions, D channels, E channels of the text space, h x w map of layer3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.attention_pool import fold_norm, pointwise, pool_tokens, single_query_pool
from ovdense.functional.position import resize_position_table
from ovdense.functional.roi_sampling import separable_roi_align
from ovdense.models.backbones.clip_resnet_c4 import freeze_norms, keep_norms_frozen
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.registry import MODELS

STRIDE = 16


@MODELS.register_module()
class CLIPResNetTail(BaseModule):
    """Maps of layer3 and rois (R,5) -> region embeddings (R,E), not normalised; an RoI extractor to mmdet.

    Args:
        model: open_clip name or config dict, the same as the backbone's.
        pretrained: as the backbone's.
        output_size: bins of RoIAlign along a side; None takes twice the side of the pool's position table: 14 for RN50,
            18 for RN50x4.
        early_projection: when the first 1 x 1 convolutions and their norms run before RoIAlign: ``auto`` where the
            regions have more cells than the map, ``always`` or ``never``.
        frozen: not trained at all.
        chunk: regions that are held at a time in evaluation.
    """

    num_inputs = 1

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        output_size: int | None = None,
        early_projection: str = "auto",
        frozen: bool = False,
        chunk: int = 100,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if early_projection not in ("auto", "always", "never"):
            raise ValueError(f"early_projection must be auto, always or never, got {early_projection!r}")
        visual = load_clip(model, pretrained).visual
        self.layer4, self.attnpool = visual.layer4, visual.attnpool
        self.side = round((len(self.attnpool.positional_embedding) - 1) ** 0.5)
        self.output_size = output_size or 2 * self.side
        self.early_projection, self.frozen, self.chunk = early_projection, frozen, chunk
        self.out_channels = self.attnpool.c_proj.out_features
        freeze_norms(self.layer4)
        if frozen:
            self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> CLIPResNetTail:
        """Batch norms stay in evaluation mode."""
        super().train(mode and not self.frozen)
        keep_norms_frozen(self)
        return self

    def init_weights(self) -> None:
        """Weights are in place after construction."""
        self._is_init = True

    def forward(self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None) -> Tensor:
        """(B,D,h,w) in a tuple, and rois (R,5) of image index and xyxy in pixels of the input -> (R,E)."""
        return self.embed_maps(self.region_maps(feats[0], rois.to(feats[0])))

    def region_maps(self, features: Tensor, rois: Tensor) -> Tensor:
        """layer4's maps (R,4D/2,h',w') of the regions."""
        cells = len(rois) * self.output_size**2
        early = self.early_projection == "always" or (
            self.early_projection == "auto" and cells > features.shape[0] * features[0, 0].numel()
        )
        if not len(rois):
            return features.new_zeros(0, self.layer4[-1].conv3.out_channels, self.side, self.side)
        chunk = len(rois) if torch.is_grad_enabled() else self.chunk
        prepared = self._prepare(features) if early else None
        parts = []
        for part in rois.split(chunk):
            if early:
                x = self._first_block(*self._sample(prepared, part))
            else:
                x = self._run_block(self.layer4[0], self._align(features, part))
            for block in self.layer4[1:]:
                x = self._run_block(block, x)
            parts.append(x)
        return torch.cat(parts)

    def embed_maps(self, maps: Tensor) -> Tensor:
        """Attention pool of maps (R,D,h',w') -> (R,E)."""
        grid = (maps.shape[-2], maps.shape[-1])
        table = self.attnpool.positional_embedding
        if grid != (self.side, self.side):
            table = resize_position_table(table, grid, "sclip")
        rows = maps.permute(0, 2, 3, 1).flatten(1, 2)
        return single_query_pool(pool_tokens(rows, table.to(rows)), self.attnpool)

    def _align(self, features: Tensor, rois: Tensor) -> Tensor:
        return roi_align(features, rois, self.output_size, 1 / STRIDE, 0, "avg", True)

    def _prepare(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Both branches of layer4's first block up to where the 1 x 1 convolutions end, without their shifts."""
        block = self.layer4[0]
        features = features.contiguous(memory_format=torch.channels_last)
        main = pointwise(features, fold_norm(block.conv1, block.bn1)[0])
        shortcut = pointwise(features, fold_norm(*shortcut_layers(block))[0])
        return main, shortcut

    def _sample(self, prepared: tuple[Tensor, Tensor], rois: Tensor) -> tuple[Tensor, Tensor]:
        """RoIAlign of both branches; the shortcut's average pool is part of it."""
        main, shortcut = prepared
        if main.device.type != "cpu" or self.output_size % 2:
            return self._align(main, rois), F.avg_pool2d(self._align(shortcut, rois), 2)
        bins = (self.output_size, self.output_size)
        outs = [main.new_empty(len(rois), *bins, main.shape[1])]
        outs += [main.new_empty(len(rois), bins[0] // 2, bins[1] // 2, shortcut.shape[1])]
        for image in rois[:, 0].unique().tolist():
            member = (rois[:, 0] == image).nonzero().flatten()
            boxes = rois[member, 1:]
            for position, (source, merge) in enumerate(((main, 1), (shortcut, 2))):
                rows = source[int(image)].permute(1, 2, 0)
                found = separable_roi_align(rows, boxes, bins, 1 / STRIDE, merge)
                if len(member) == len(rois):
                    outs[position] = found
                else:
                    outs[position] = outs[position].index_copy(0, member, found)
        return outs[0].permute(0, 3, 1, 2), outs[1].permute(0, 3, 1, 2)

    def _first_block(self, main: Tensor, shortcut: Tensor) -> Tensor:
        """The rest of layer4's first block; shifts come after RoIAlign, whose samples off the map are zero."""
        block = self.layer4[0]
        main = main + fold_norm(block.conv1, block.bn1)[1].view(1, -1, 1, 1)
        shortcut = shortcut + fold_norm(*shortcut_layers(block))[1].view(1, -1, 1, 1)
        return self._finish(block, main, shortcut)

    def _run_block(self, block: nn.Module, x: Tensor) -> Tensor:
        """A bottleneck with its norms folded into the convolutions, in channels-last memory."""
        x = x.contiguous(memory_format=torch.channels_last)
        main = pointwise(x, *fold_norm(block.conv1, block.bn1))
        shortcut = x
        if block.downsample is not None:
            shortcut = pointwise(block.downsample[0](x), *fold_norm(*shortcut_layers(block)))
        return self._finish(block, main, shortcut)

    @staticmethod
    def _finish(block: nn.Module, main: Tensor, shortcut: Tensor) -> Tensor:
        weight, bias = fold_norm(block.conv2, block.bn2)
        x = F.relu(main).contiguous(memory_format=torch.channels_last)
        x = F.relu(F.conv2d(x, weight.contiguous(memory_format=torch.channels_last), bias, padding=1))
        x = block.avgpool(x).contiguous(memory_format=torch.channels_last)
        return F.relu(pointwise(x, *fold_norm(block.conv3, block.bn3)) + shortcut)


def shortcut_layers(block: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Convolution and norm of a bottleneck's shortcut, which a pool precedes."""
    return block.downsample[1], block.downsample[2]
