"""Zero-guidance segmentation (arXiv 2303.13396): everything in a picture segmented and named, with no names given.

Shapes: B images, N nodes of a tree of segments, S phrases, K words, C channels of the text space, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from ovdense.functional.masked_embedding import merge_up, segment_override
from ovdense.functional.upsample_argmax import upsample_argmax
from ovdense.models.backbones.proxy import renormalise
from ovdense.models.open_vocabulary import OpenVocabularyMixin, parse_vocabulary
from ovdense.models.segment_trees import SegmentTree
from ovdense.models.segmentors.label_decoder import label_dtype
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS


@dataclass(frozen=True)
class EncodedSegments:
    """A picture's segments before they have names.

    Args:
        tree: the segments.
        embeddings: (N, C) of all nodes, not normalised.
        valid: (H, W) of the picture in the network's input, which the tree's grid covers.
        meta: mm metainfo.
    """

    tree: SegmentTree
    embeddings: Tensor
    valid: tuple[int, int]
    meta: Mapping


@MODELS.register_module()
class ZeroGuidanceSegmentor(OpenVocabularyMixin, BaseSegmentor):
    """Segments of a DINO, embedded by CLIP's masked attention, named by the nearest word, merged where alike.

    The paper writes a caption for each segment with GPT-2; here the name is the nearest word of a list, which any set
    of names can replace (``set_vocabulary``).

    Args:
        backbone: config of a CLIP ViT.
        segments: config of a ``WardTree``.
        text_encoder: config of the text encoder of the same CLIP.
        words: names of shipped vocabularies whose words are taken together, or names.
        vocabulary: one source instead of ``words``.
        first_block: from which the class token attends within its segment, of a CLIP of 24 blocks.
        spread: of the global subtraction; None for none.
        merge_threshold: mean cosine of image and name above which two segments of the tree become one.
        answer: vocabulary of a data set that labels are given in: every word counts as the class whose name is nearest.
        answer_threshold: cosine of word and class below which a segment has no class.
        data_preprocessor: mmseg's; mean and std are the backbone's.
    """

    align_corners = False

    def __init__(
        self,
        *,
        backbone: dict,
        segments: dict,
        text_encoder: dict,
        words: Sequence[str] = ("lvis-1203", "coco-stuff-171", "ade20k-150"),
        vocabulary=None,
        first_block: int = 20,
        spread: float | None = 5.0,
        merge_threshold: float = 0.8,
        answer=None,
        answer_threshold: float = 0.5,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        tower = MODELS.build({"attention": "vanilla", "with_global": True, **backbone})
        filled = dict(type="mmseg.SegDataPreProcessor", bgr_to_rgb=True, pad_val=0, seg_pad_val=255)
        filled |= dict(mean=[255 * v for v in tower.image_mean], std=[255 * v for v in tower.image_std])
        super().__init__(data_preprocessor={**filled, **(data_preprocessor or {})}, init_cfg=init_cfg)
        if not hasattr(tower, "region_embeddings"):
            raise ValueError(f"masked attention needs a ViT with a class token, got {tower.name}")
        self.backbone, self.segments = tower, MODELS.build(segments)
        self.first_block, self.spread, self.merge_threshold = first_block, spread, merge_threshold
        self.answer = None if answer is None else parse_vocabulary(answer)
        self.answer_threshold = answer_threshold
        self._answer_rows: tuple[Tensor, Tensor] | None = None
        source = word_list(words) if vocabulary is None else vocabulary
        self._init_vocabulary(
            text_encoder=text_encoder, vocabulary=source, space=tower.space, embed_dim=tower.embed_dim
        )

    @property
    def dataset_meta(self) -> dict | None:
        """Classes of the answers, where they are those of a data set, else the words."""
        if self.answer is None:
            return OpenVocabularyMixin.dataset_meta.fget(self)
        return dict(classes=list(self.answer.classes), palette=[tuple(colour) for colour in self.answer.palette])

    @dataset_meta.setter
    def dataset_meta(self, meta: dict | None) -> None:
        OpenVocabularyMixin.dataset_meta.fset(self, meta)

    @torch.no_grad()
    def encode(self, images: Tensor, metainfos: Sequence[dict] | None = None) -> list[EncodedSegments]:
        """Segments of normalised images (B,3,H,W), each picture by itself and without its padding."""
        metainfos = [{} for _ in images] if metainfos is None else metainfos
        return [self._encode_one(image, meta) for image, meta in zip(images, metainfos)]

    def _encode_one(self, image: Tensor, meta: Mapping) -> EncodedSegments:
        left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
        image = image[None, :, top : image.shape[-2] - bottom, left : image.shape[-1] - right]
        cells = stretch_to_cells(image, self.backbone.stride)
        (tree,) = self.segments(renormalise(cells, self.backbone, self.segments.backbone))
        grid = tuple(side // self.backbone.stride for side in cells.shape[-2:])
        override = segment_override(tree.node_masks(grid).to(cells), self.backbone.prefix, self.spread)
        first = self.backbone.usual_first(self.first_block, 24)
        embeddings = self.backbone.region_embeddings(cells, override, len(tree.members), first)
        return EncodedSegments(tree, embeddings, tuple(image.shape[-2:]), meta)

    @torch.no_grad()
    def decode(
        self, encoded: Sequence[EncodedSegments], data_samples: list | None = None, *, keep_logits: bool = False
    ) -> list[SegDataSample]:
        """Labels (1,H,W) of the original size: words of the vocabulary, or classes of ``answer`` (255 for none)."""
        if data_samples is None:
            data_samples = [SegDataSample(metainfo=dict(one.meta)) for one in encoded]
        for one, sample in zip(encoded, data_samples):
            words, groups = self.name_segments(one)
            labels = self._answers(words) if self.answer is not None else words
            leaves = torch.zeros(one.tree.leaves, dtype=torch.long)
            for label, group in zip(labels.tolist(), groups):
                leaves[group] = label
            painted = leaves.to(one.embeddings.device)[self._leaf_map(one)]
            kind = label_dtype(self.vocabulary.num_classes if self.answer is None else 256)
            sample.pred_sem_seg = PixelData(data=painted[None].to(kind))
        return data_samples

    def name_segments(self, encoded: EncodedSegments) -> tuple[Tensor, list[list[int]]]:
        """Word (G,) of each segment that is left after merging, and its leaves."""
        classes, tree = self.class_embeddings, encoded.tree
        unit, rows = F.normalize(encoded.embeddings, dim=1), F.normalize(classes.rows.to(encoded.embeddings), dim=1)
        nearest = (unit @ rows.T).argmax(1)
        groups = merge_up(tree.children, unit, rows[nearest], tree.leaves, self.merge_threshold)
        nodes = {frozenset(torch.nonzero(row).flatten().tolist()): index for index, row in enumerate(tree.members)}
        chosen = torch.tensor([nodes[frozenset(group)] for group in groups])
        return classes.class_index.to(nearest.device)[nearest[chosen]], groups

    def _leaf_map(self, encoded: EncodedSegments) -> Tensor:
        """Leaf of each pixel (H,W) of the original picture."""
        tree = encoded.tree
        shown = F.one_hot(tree.labels, tree.leaves).permute(2, 0, 1)[None].float().to(encoded.embeddings.device)
        labels = upsample_argmax(shown, tuple(encoded.meta.get("ori_shape", encoded.valid))[:2])[0].long()
        direction = (encoded.meta.get("flip_direction") or "horizontal") if encoded.meta.get("flip") else ""
        flips = (("vertical", "diagonal"), ("horizontal", "diagonal"))
        dims = [dim for dim, names in enumerate(flips) if direction in names]
        return labels.flip(dims) if dims else labels

    def _answers(self, words: Tensor) -> Tensor:
        """Class of the data set (G,) that each word (G,) stands for, 255 where none is near."""
        classes = self.class_embeddings
        if self._answer_rows is None or self._answer_rows[0] is not classes.rows:
            theirs = self._text_encoder.encode(self.answer)
            like = F.normalize(classes.rows, dim=1) @ F.normalize(theirs.rows.to(classes.rows), dim=1).T
            best, index = like.max(1)
            mapped = theirs.class_index.to(index.device)[index].masked_fill(best < self.answer_threshold, 255)
            first = torch.full((classes.num_classes,), 255, device=mapped.device)
            for row in reversed(range(len(mapped))):  # a word's first phrase decides
                first[classes.class_index[row]] = mapped[row]
            self._answer_rows = (classes.rows, first)
        return self._answer_rows[1][words]

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list[SegDataSample]:
        """Label maps of normalised images (B,3,H,W)."""
        metainfos = None if data_samples is None else [sample.metainfo for sample in data_samples]
        return self.decode(self.encode(inputs, metainfos), data_samples)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Nothing learns here."""
        raise TypeError("zero-guidance segmentation has nothing to train: test it, or train a PixelTextHead or a probe")

    def extract_feat(self, inputs: Tensor) -> list[EncodedSegments]:
        """See ``encode``."""
        return self.encode(inputs)

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> list[EncodedSegments]:
        return self.encode(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        """Not there: segments have one name each and no class maps."""
        raise TypeError("zero-guidance segmentation gives labels, no logits: use predict")


def stretch_to_cells(image: Tensor, stride: int) -> Tensor:
    """A picture (1,3,H,W) stretched, by less than a cell, to sides of whole cells."""
    size = tuple(-(-side // stride) * stride for side in image.shape[-2:])
    return image if size == tuple(image.shape[-2:]) else F.interpolate(image, size, mode="bilinear")


def word_list(sources: Sequence[str]) -> list[str]:
    """Class names of several vocabularies, or names themselves, each once."""
    names: dict[str, None] = {}
    for source in [sources] if isinstance(sources, str) else sources:
        names.update(dict.fromkeys(load_vocabulary(source).classes))
    return list(names)
