"""What the adapters share: models from the case's own weights, and the names that outputs are stored under."""

from __future__ import annotations

import math
import re
from functools import cached_property

import torch
from comparison import Labels
from official_cases import Case
from torch import Tensor

from ovdense.functional.background import classes_by_area
from ovdense.functional.similarity import synonym_max
from ovdense.models.segmentors import OpenVocabSegmentor
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures, Vocabulary


class Adapter:
    """Derives the outputs of one case."""

    methods: tuple[str, ...] = ()
    inputs: str | None = None  # what else of a case goes in, as a pattern of names; these cases have no ``img_*``
    kinds: list[type[Adapter]] = []

    def __init_subclass__(cls) -> None:
        if cls.methods:
            Adapter.kinds.append(cls)

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tolerances: dict[str, float] = {}
        self._built: dict[str, torch.nn.Module] = {}  # models take longer to build than to run

    def needs_image(self, point: str) -> bool:
        """False for outputs that follow from their name alone."""
        return self.inputs is None

    @property
    def outputs(self) -> list[str]:
        """Names of the tensors that are held against ours."""
        return [key for key in self.case.outputs if self.inputs is None or not re.fullmatch(self.inputs, key)]

    def derive(self, point: str) -> Tensor | Labels | None:
        """Our value of a stored output; None if the adapter does not know how."""
        raise NotImplementedError

    @property
    def text(self) -> Tensor:
        return self.case.tensors["text"]

    @property
    def class_index(self) -> Tensor:
        """(S,) class of each row of ``text``."""
        return self.case.tensors.get("query_idx", torch.arange(len(self.text))).long()

    @cached_property
    def class_rows(self) -> ClassEmbeddings:
        """The class rows as the segmentor takes them."""
        classes = int(self.class_index.max()) + 1
        names = tuple(f"class {index}" for index in range(classes))
        phrases = tuple(
            tuple(f"phrase {row}" for row in torch.nonzero(self.class_index == index).flatten().tolist())
            for index in range(classes)
        )
        return ClassEmbeddings(self.text, self.class_index, Vocabulary(names, phrases), space="")

    def model_config(self) -> dict:
        """Config of the backbone, from the meta file and the shapes of the weights.

        Official code pads nothing, unless an adapter says so: its patch convolution leaves out what fills no cell.
        """
        return dict(
            type="CLIPBackbone",
            model=vit_config(self.case),
            pretrained=str(self.case.weights),
            padding="none",
            official_quirks=True,
        )

    def backbone(self, **options) -> torch.nn.Module:
        """The case's backbone with some options, built once."""
        return self._once({**self.model_config(), **options})

    def _once(self, config: dict) -> torch.nn.Module:
        key = repr(config)
        if key not in self._built:
            self._built[key] = MODELS.build(config)
        return self._built[key]

    def features(self, tag: str, **options) -> DenseFeatures:
        """Features of an input, by a backbone with these options."""
        return self.backbone(**options)(self.case.images[tag])

    def segmentor(self, backbone: dict, test_cfg: dict, **kwargs) -> OpenVocabSegmentor:
        """A segmentor on the case's weights and class rows, built once."""
        return self._once(
            dict(
                type="OpenVocabSegmentor",
                backbone={**self.model_config(), **backbone},
                decode_head=kwargs.pop("decode_head", dict(type="PixelTextHead")),
                class_embeddings=self.class_rows,
                test_cfg=test_cfg,
                **kwargs,
            )
        )

    def phrase_maps(self, model: OpenVocabSegmentor, tag: str, size: tuple[int, int] | None = None) -> Tensor:
        """(B,S,H,W) phrase logits at the input's size, or at ``size``."""
        image = self.case.images[tag]
        encoded = model.encode(image, [dict(ori_shape=size or tuple(image.shape[-2:]))] * len(image))
        maps = []
        for index in range(len(image)):
            logits = model.window_logits(encoded[index])
            full = logits.full()
            maps.append(full if logits.refine is None else logits.refine(full))
        return torch.stack(maps)

    def labels(self, model: OpenVocabSegmentor, tag: str, size: tuple[int, int]) -> Labels:
        """Predicted labels at ``size`` and the probabilities behind them."""
        image = self.case.images[tag]
        samples = model.decode(model.encode(image, [dict(ori_shape=size)] * len(image)))
        labels = torch.cat([sample.pred_sem_seg.data for sample in samples])
        return Labels(labels, self.class_probabilities(model, tag, size), model.label_rules().prob_threshold)

    def class_probabilities(self, model: OpenVocabSegmentor, tag: str, size: tuple[int, int]) -> Tensor:
        """(B,K,H,W): softmax over phrases, the best phrase of a class, and classes of too little area at 0."""
        rules, maps = model.label_rules(), self.phrase_maps(model, tag, size)
        if not rules.softmax:
            return synonym_max(maps, self.class_index, rules.num_classes)
        full = synonym_max((maps * rules.logit_scale).softmax(1), self.class_index, rules.num_classes)
        if rules.area_threshold is not None:
            full *= classes_by_area(full.argmax(1), rules.num_classes, rules.area_threshold)[:, :, None, None]
        return full


def vit_config(case: Case, act: str = "QuickGELU") -> dict:
    """open_clip's config of the ViT in a case; ``act`` where the meta file names no activation."""
    shapes, stated = case.weight_shapes, case.meta.get("vit", {})
    width, _, patch, _ = shapes["visual.conv1.weight"]
    side = math.isqrt(shapes["visual.positional_embedding"][0] - 1)
    blocks = {int(found.group(1)) for key in shapes if (found := re.search(r"visual\..*resblocks\.(\d+)\.", key))}
    hidden = shapes["visual.transformer.resblocks.0.mlp.c_fc.weight"][0]
    heads = int(stated.get("heads", width // 64))
    return dict(
        embed_dim=shapes["visual.proj"][1],
        quick_gelu=not str(stated.get("act", act)).upper().startswith("GELU"),
        vision_cfg=dict(
            image_size=side * patch,
            layers=len(blocks),
            width=width,
            head_width=width // heads,
            patch_size=patch,
            mlp_ratio=hidden / width,
        ),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )


def with_class_token(features: DenseFeatures) -> Tensor:
    """(B, 1 + h*w, C): the class token and the patches, as official code returns them."""
    return torch.cat([features.extras["dense_cls"][:, None], patch_rows(features.dense)], dim=1)


def patch_rows(maps: Tensor) -> Tensor:
    """(B,C,h,w) -> (B,h*w,C)."""
    return maps.flatten(2).transpose(1, 2)


def last_block_input(features: DenseFeatures) -> Tensor:
    """(T,B,D) tokens that enter the last block, class token first."""
    tokens = torch.cat([features.extras["input_cls"][:, None], patch_rows(features.extras["input"])], dim=1)
    return tokens.transpose(0, 1)


def subsample(full: Tensor, stored: Tensor) -> Tensor:
    """Every n-th row and column of a full-size map, as many as were stored."""
    step_y, step_x = (-(-full.shape[dim] // stored.shape[dim]) for dim in (-2, -1))
    return full[..., ::step_y, ::step_x]


def named_size(point: str) -> tuple[int, int] | None:
    """(100, 150) of ``..._100x150``."""
    match = re.search(r"(\d+)x(\d+)", point)
    return (int(match.group(1)), int(match.group(2))) if match else None
