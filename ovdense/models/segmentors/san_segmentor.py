"""SAN (arXiv 2302.12242): mmseg's modules with our text rows.

Shapes: B images, Q queries, S phrases, K classes, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ovdense.functional.mask_postprocess import ResizedMasks, semantic_labels
from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.models.san_checkpoint import clip_state
from ovdense.models.segmentors.label_decoder import label_dtype
from ovdense.registry import MODELS


@MODELS.register_module()
class SANSegmentor(OpenVocabularyMixin, BaseSegmentor):
    """mmseg's CLIP encoder and SAN head behind ``set_vocabulary``.

    A picture gives the same labels alone and in a batch: at test time each is padded by itself.

    Args:
        image_encoder: config of mmseg's ``VisionTransformer`` with the first blocks of a CLIP.
        decode_head: config of ``SideAdapterHead``, with its last blocks.
        clip: ``dict(model=..., pretrained=...)`` to fill both from; None where a checkpoint follows.
        encoder_resolution: the CLIP sees the picture at this share of its size.
        logit_scale: initial factor of the cosines, kept with the weights.
        size_divisor: pixels that the sides are padded to multiples of at test time.
        text_encoder, vocabulary, class_embeddings: see ``OpenVocabularyMixin``.
        data_preprocessor: mmseg's.
        train_cfg, test_cfg, pretrained: unused, for mm's sake.
    """

    align_corners = False

    def __init__(
        self,
        *,
        image_encoder: dict,
        decode_head: dict,
        clip: dict | None = None,
        encoder_resolution: float = 0.5,
        logit_scale: float = 100.0,
        size_divisor: int = 32,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings=None,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.image_encoder = _build_encoder(image_encoder)
        self.decode_head = MODELS.build({"type": "SideAdapterHead", **decode_head})
        embed_dim = self.decode_head.rec_with_attnbias.proj.out_features
        self.bg_embed = nn.Parameter(torch.randn(1, embed_dim) * embed_dim**-0.5)
        self.register_buffer("logit_scale", torch.tensor(float(logit_scale)).log())
        self.encoder_resolution, self.size_divisor = encoder_resolution, size_divisor
        space = None
        if clip is not None:
            loaded = load_clip(**clip)
            space = loaded.space
            self._load_clip(loaded)
        self._init_vocabulary(
            text_encoder=text_encoder,
            vocabulary=vocabulary,
            class_embeddings=class_embeddings,
            space=space,
            embed_dim=embed_dim,
        )

    def _load_clip(self, loaded) -> None:
        """The blocks of a CLIP, shared out between encoder and head."""
        state = clip_state(loaded.visual.state_dict(), len(self.image_encoder.layers))
        missing = [
            name
            for name in self.state_dict()
            if name.startswith(("image_encoder.", "decode_head.rec_with_attnbias.")) and name not in state
        ]
        if missing:
            raise ValueError(f"{loaded.name} does not fill SAN's CLIP, missing: {missing[:5]}")
        self.load_state_dict(state, strict=False)
        self.logit_scale.fill_(torch.tensor(min(loaded.logit_scale, 100.0)).log())

    def init_weights(self) -> None:
        """New weights of the side network; the CLIP's stay."""
        self.decode_head.side_adapter_network.init_weights()
        self._is_init = True

    def classifier(self) -> Tensor:
        """Rows (S+1,C) of the vocabulary and of void, of length ``exp(logit_scale)``."""
        embeddings = self.class_embeddings
        self.decode_head.set_classes(embeddings)
        rows = torch.cat([embeddings.rows.to(self.bg_embed), self.bg_embed])
        return F.normalize(rows, dim=-1) * self.logit_scale.exp()

    def extract_feat(self, inputs: Tensor) -> list:
        """CLIP features of normalised images (B,3,H,W): maps and class tokens of several blocks."""
        small = F.interpolate(
            inputs, scale_factor=self.encoder_resolution, mode="bilinear", recompute_scale_factor=False
        )
        return self.image_encoder(small)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """mmseg's losses; classes are those of the vocabulary."""
        rows = self.classifier()
        losses = self.decode_head.loss(
            [inputs, self.extract_feat(inputs), rows], data_samples, self.decode_head.train_cfg
        )
        return add_prefix(losses, "decode")

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> tuple[Tensor, Tensor]:
        """Mask logits (B,Q,h,w) and class logits (B,Q,K+1) of whole images."""
        masks, logits = self.decode_head([inputs, self.extract_feat(inputs), self.classifier()])
        return masks[-1], logits[-1]

    @torch.no_grad()
    def encode_decode(self, inputs: Tensor, batch_img_metas: Sequence[dict] | None = None) -> Tensor:
        """Class scores (B,K,H,W) at the input's size, as mmseg's tools expect them. Mind the memory."""
        masks, logits = self._forward(inputs)
        masks = F.interpolate(masks, size=inputs.shape[-2:], mode="bilinear", align_corners=False).sigmoid()
        return torch.einsum("bqc,bqhw->bchw", logits.softmax(dim=-1)[..., :-1], masks)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list[SegDataSample]:
        """Label maps (1,H,W) of normalised images, at the size of each original picture."""
        if data_samples is None:
            data_samples = [SegDataSample(metainfo={}) for _ in inputs]
        for image, sample in zip(inputs, data_samples):
            meta = sample.metainfo
            left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
            image = image[None, :, top : image.shape[-2] - bottom, left : image.shape[-1] - right]
            valid = tuple(image.shape[-2:])
            image = F.pad(image, (0, -valid[1] % self.size_divisor, 0, -valid[0] % self.size_divisor))
            masks, logits = self._forward(image)
            direction = (meta.get("flip_direction") or "horizontal") if meta.get("flip") else ""
            resized = ResizedMasks.resize(
                masks[0],
                padded=tuple(image.shape[-2:]),
                valid=valid,
                size=tuple(meta.get("ori_shape", valid))[:2],
                flip=(direction in ("vertical", "diagonal"), direction in ("horizontal", "diagonal")),
            )
            labels = semantic_labels(logits[0].softmax(dim=-1)[:, :-1], resized)
            sample.pred_sem_seg = PixelData(data=labels[None].to(label_dtype(self.vocabulary.num_classes)))
        return data_samples


def _build_encoder(config: dict) -> nn.Module:
    """mmseg's ``VisionTransformer``; it reads numbers out of a tensor, of which the meta device has none."""
    with DefaultScope.overwrite_default_scope("mmseg"), torch.device("cpu"):
        encoder = MMSEG_MODELS.build(ConfigDict({"type": "VisionTransformer", **config}))
    return encoder.to(torch.get_default_device())
