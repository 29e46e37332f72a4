"""The open-vocabulary segmentor: encode an image once, decode it with as many vocabularies as you like.

Shapes: B images of one size, S phrases, K classes, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ovdense.functional.background import background_by_objectness
from ovdense.functional.resample import apply_separable
from ovdense.functional.windows import stack_windows
from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.models.region_ids import vote_in_regions
from ovdense.models.segmentors.encoded_images import EncodedImages, encode_windows
from ovdense.models.segmentors.frozen_checkpoint import slim_checkpoints
from ovdense.models.segmentors.geometry import Axis, axis_matrix, guide_image
from ovdense.models.segmentors.label_decoder import (
    LabelRules,
    WindowLogits,
    class_logits,
    class_probabilities,
    decode_labels,
    label_dtype,
)
from ovdense.models.segmentors.refinement import build_refinement
from ovdense.models.segmentors.small_regions import drop_small_regions
from ovdense.models.segmentors.test_settings import TestSettings
from ovdense.models.segmentors.window_probabilities import WindowProbabilities
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class OpenVocabSegmentor(OpenVocabularyMixin, BaseSegmentor):
    """Backbone + decode head + vocabulary as an mmseg segmentor.

    Args:
        backbone: config of a backbone of ``ovdense.models.backbones``.
        decode_head: config of a head: ``PixelTextHead``, ``MaskCLIPHead``, ``LinearProbeHead``, ...
        text_encoder: config of the text encoder that goes with the backbone.
        vocabulary: names to look for, in any form that ``load_vocabulary`` takes; ``set_vocabulary`` changes it.
        class_embeddings: ready rows instead of a text encoder: (K, C) tensor, file, or ``ClassEmbeddings``.
        data_preprocessor: mmseg's; a missing mean and std are the backbone's.
        regions: where the region masks of pictures come from that were loaded without, for methods and settings that
            use masks: ``dict(type="FelzenszwalbRegions")`` or ``dict(type="ProposedRegions", proposals=...)``.
        refine: refinement of the full-size maps, ``dict(type="PAMR", num_iter=10, dilations=(8, 16))``, or of the
            labels, ``dict(type="SAMPrompts", checkpoint=...)``.
        train_cfg: unused, for mm's sake.
        test_cfg: see ``TestSettings``.
        pretrained: unused, for mm's sake.
        save_frozen: keep the weights of a frozen backbone in checkpoints. None leaves them out where the config alone
            brings them back, so that the checkpoint of a probe holds the probe.
    """

    align_corners = False

    def __init__(
        self,
        *,
        backbone: dict,
        decode_head: dict,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings=None,
        data_preprocessor: dict | None = None,
        regions: dict | None = None,
        refine: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: str | None = None,
        save_frozen: bool | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone_config, backbone = backbone, MODELS.build(backbone)
        super().__init__(data_preprocessor=_preprocessor(data_preprocessor, backbone), init_cfg=init_cfg)
        self.backbone = backbone
        self.decode_head = MODELS.build(decode_head)
        if hasattr(self.decode_head, "bind_backbone"):
            self.decode_head.bind_backbone(backbone)
        self.train_cfg = train_cfg
        self.test_cfg = TestSettings.parse(test_cfg)
        self.refine = build_refinement(refine)
        self.regions = None if regions is None else MODELS.build(regions)
        self._init_vocabulary(
            text_encoder=text_encoder,
            vocabulary=vocabulary,
            class_embeddings=class_embeddings,
            space=backbone.space,
            embed_dim=getattr(self.decode_head, "text_dim", backbone.embed_dim),
        )
        if not self.decode_head.uses_text and getattr(self.decode_head, "classes", None):
            self.dataset_meta = dict(classes=list(self.decode_head.classes), palette=self.decode_head.palette)
        frozen = not any(parameter.requires_grad for parameter in backbone.parameters())
        if save_frozen is None:
            save_frozen = not _has_named_weights(backbone_config, backbone)
        if frozen and not save_frozen:
            slim_checkpoints(self, "backbone")

    def extract_feat(self, inputs: Tensor) -> DenseFeatures:
        """Features of normalised images (B,3,H,W), whole."""
        return self.backbone(inputs)

    @torch.no_grad()
    def encode(self, images: Tensor, metainfos: Sequence[dict] | None = None) -> EncodedImages:
        """Features of all windows of normalised images (B,3,H,W), batched over windows and images.

        ``metainfos``: mm metainfo of each image; without it results are of the input's size.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"encode takes a batch of images (B, 3, H, W), got {tuple(images.shape)}")
        metainfos = [{} for _ in images] if metainfos is None else list(metainfos)
        if len(metainfos) != len(images):
            raise ValueError(f"got {len(images)} images but {len(metainfos)} metainfos")
        if self.regions is not None:
            metainfos = self.regions(images, metainfos, self.backbone)
        size = tuple(images.shape[-2:])
        crop, stride = size, size
        if self.test_cfg.mode == "slide":
            crop = tuple(min(side, limit) for side, limit in zip(size, self.test_cfg.crop_size))
            stride = self.test_cfg.stride
        features = encode_windows(self.backbone, images, crop, stride, self.test_cfg.window_batch, metainfos)
        return EncodedImages(features, crop, stride, size, metainfos, None if self.refine is None else images)

    @torch.no_grad()
    def decode(
        self, encoded: EncodedImages, data_samples: list | None = None, *, keep_logits: bool = False
    ) -> list[SegDataSample]:
        """Results of an encoded batch with the present vocabulary.

        Each sample gets ``pred_sem_seg`` (1,H,W) of the original size, uint8 up to 255 classes and int32 beyond;
        ``seg_prob`` (1,H,W), the top probability, if ``test_cfg.return_prob``; ``seg_logits`` (K,H,W) if
        ``keep_logits``.
        """
        if data_samples is None:
            data_samples = [SegDataSample(metainfo=meta) for meta in encoded.metainfos]
        for index, sample in enumerate(data_samples):
            self._decode_one(encoded[index], sample, keep_logits or self.test_cfg.keep_logits)
        return data_samples

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list[SegDataSample]:
        """Label maps of normalised images (B,3,H,W)."""
        metainfos = None if data_samples is None else [sample.metainfo for sample in data_samples]
        return self.decode(self.encode(inputs, metainfos), data_samples)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of a head that learns."""
        if not hasattr(self.decode_head, "loss"):
            raise TypeError(
                f"a head with a loss, such as LinearProbeHead, can be trained, got {type(self.decode_head).__name__}"
            )
        teaching = {}
        if getattr(self.decode_head, "learns_from_images", False):  # its teachers see the pictures; no names are needed
            rows, teaching = None, dict(images=inputs, backbone=self.backbone)
        else:
            rows = self.class_embeddings.rows if self.decode_head.uses_text else None
        return add_prefix(self.decode_head.loss(self.extract_feat(inputs), rows, data_samples, **teaching), "decode")

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        """Patch logits (B,S,h,w) of whole images."""
        rows = self.class_embeddings.rows if self.decode_head.uses_text else None
        return self.decode_head(self.extract_feat(inputs), rows)

    @torch.no_grad()
    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        """Class logits (B,K,H,W) at the input's size, as mmseg's tools expect them. Mind the memory."""
        encoded = self.encode(inputs)
        return torch.stack(
            [class_logits(self.window_logits(encoded[index]), self.label_rules()) for index in range(len(encoded))]
        )

    @property
    def num_classes(self) -> int:
        """K of the vocabulary, or of a closed-set head."""
        return self.vocabulary.num_classes if self.decode_head.uses_text else self.decode_head.num_classes

    def window_logits(self, encoded: EncodedImages) -> WindowLogits:
        """Phrase logits of one encoded image and the way to its original size."""
        axes = encoded.axes(0, self.test_cfg.official_quirks)
        if self.decode_head.uses_text:
            embeddings = self.class_embeddings
            classes = (embeddings,) if getattr(self.decode_head, "uses_classes", False) else ()
            grids = self.decode_head(encoded.features, embeddings.rows, *classes)
            class_index = embeddings.class_index
        else:
            grids = self.decode_head(encoded.features)
            class_index = torch.arange(grids.shape[1], device=grids.device)
        size = tuple(axis.out for axis in axes)
        if getattr(self.refine, "of_input_size", False):  # the refinement itself goes on to the original size
            axes = tuple(replace(axis, out=axis.valid) for axis in axes)
        if self.test_cfg.contrast:
            grids = grids - self.test_cfg.contrast * grids.mean((0, 2, 3), keepdim=True)
        rows, cols = (
            axis_matrix(axis, self.test_cfg.resize, self.test_cfg.align_corners, self.test_cfg.window_align_corners).to(
                grids.device
            )
            for axis in axes
        )
        of_maps = self.refine is not None and not getattr(self.refine, "refines_labels", False)
        refine = self._bind_refinement(encoded, axes, size) if of_maps else None
        narrow = [getattr(self.refine, name, False) for name in ("contenders_only", "undominated_only")]
        parts = (stack_windows(grids, encoded.grid)[0], rows, cols, class_index, refine, *narrow)
        if self.test_cfg.window_softmax and not self.decode_head.gives_probability:
            return WindowProbabilities(*parts, windows=grids, axes=axes, settings=self.test_cfg)
        return WindowLogits(*parts)

    def _bind_refinement(self, encoded: EncodedImages, axes: tuple[Axis, Axis], size: tuple[int, int]):
        """The refinement, given the picture of one encoded image: normalised, or as RGB in 0..1 at the input's size."""
        guide = guide_image(encoded.images, axes)
        if not getattr(self.refine, "of_input_size", False):
            return self.refine.bind(guide)
        mean, std = (guide.new_tensor(x)[:, None, None] for x in (self.backbone.image_mean, self.backbone.image_std))
        return self.refine.bind((guide * std + mean).clamp(0, 1), size)

    def label_rules(self) -> LabelRules:
        """How this model and vocabulary make labels of logits."""
        settings = self.test_cfg
        threshold, background_index = settings.prob_threshold, None
        if self.decode_head.uses_text:
            background = self.vocabulary.background
            background_index = self.vocabulary.background_index
            if background.policy != "objectness" and background.threshold is not None:
                threshold = background.threshold
        return LabelRules(
            num_classes=self.num_classes,
            logit_scale=settings.logit_scale,
            softmax=not (self.decode_head.gives_probability or settings.window_softmax),
            prob_threshold=threshold,
            area_threshold=settings.area_threshold,
            background_index=background_index or 0,
            with_prob=settings.return_prob,
        )

    def _decode_one(self, encoded: EncodedImages, sample: SegDataSample, keep_logits: bool) -> None:
        logits, rules = self.window_logits(encoded), self.label_rules()
        labels, probability = decode_labels(logits, rules)
        if self.decode_head.uses_text and self.vocabulary.background.policy == "objectness":
            labels = self._cut_background(labels, logits, encoded)
        if getattr(self.refine, "refines_labels", False):
            picture = self._picture(encoded)
            labels = self.refine.refine_labels(labels, class_probabilities(logits, rules), picture)
        if self.test_cfg.min_region:
            labels = drop_small_regions(labels, self.test_cfg.min_region * labels.numel())
        if self.test_cfg.region_vote:
            labels = vote_in_regions(labels, encoded.metainfos[0], self.test_cfg.region_vote)
        sample.pred_sem_seg = PixelData(data=labels[None].to(label_dtype(rules.num_classes)))
        if probability is not None:
            sample.set_field(PixelData(data=probability[None]), "seg_prob", PixelData)
        if keep_logits:
            sample.seg_logits = PixelData(data=class_logits(logits, rules))

    def _picture(self, encoded: EncodedImages) -> Tensor:
        """The picture of an encoded image at its original size, (H,W,3) uint8 RGB."""
        guide = guide_image(encoded.images, encoded.axes(0))[0]
        mean, std = (guide.new_tensor(v).view(3, 1, 1) for v in (self.backbone.image_mean, self.backbone.image_std))
        values = 255 * (guide * std + mean)
        return values.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)

    def _cut_background(self, labels: Tensor, logits: WindowLogits, encoded: EncodedImages) -> Tensor:
        """Background where the head sees no object."""
        if not hasattr(self.decode_head, "foreground"):
            raise ValueError(
                "the background policy 'objectness' needs a head with a foreground map (else use 'threshold' or "
                f"'names'), got {type(self.decode_head).__name__}"
            )
        grids = stack_windows(self.decode_head.foreground(encoded.features), encoded.grid)
        foreground = apply_separable(grids, logits.rows, logits.cols)[0, 0]
        threshold = self.vocabulary.background.threshold
        background = self.vocabulary.background_index or 0
        return background_by_objectness(labels, foreground, 0.5 if threshold is None else threshold, background)


def _has_named_weights(config: dict, backbone: nn.Module) -> bool:
    """True where the config says where the backbone's weights come from; False for random ones."""
    if backbone.space and backbone.space.endswith("/random"):
        return False
    return getattr(backbone, "brings_weights", bool(backbone.space or config.get("pretrained")))


def _preprocessor(config: dict | None, backbone) -> dict:
    """mmseg's data preprocessor with the backbone's mean and std (RGB, 0..255) where none is given."""
    if config is not None and not isinstance(config, dict):
        return config
    filled = dict(type="mmseg.SegDataPreProcessor", bgr_to_rgb=True, pad_val=0, seg_pad_val=255)
    filled.update(config or {})
    for name, values in (("mean", backbone.image_mean), ("std", backbone.image_std)):
        if filled.get(name) is None:
            filled[name] = [255.0 * value for value in values]
    return filled
