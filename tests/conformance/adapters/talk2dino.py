"""Talk2DINO: mapping, alignment and loss with gradients, and masks with background cleaning and PAMR."""

import math

import torch
from comparison import Labels
from safetensors.torch import load_file
from torch import Tensor

from adapters.base import Adapter, patch_rows
from ovdense.functional.pamr import pamr
from ovdense.functional.text_alignment import alignment_scores, info_nce
from ovdense.models.decode_heads import Talk2DINOHead
from ovdense.models.decode_heads.talk2dino_head import attention_logits
from ovdense.models.segmentors import OpenVocabSegmentor
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

IMAGE = "infer/img_bgr_0_255_"
STRATEGIES = dict(scores="max_score", scores_weighted_avg="weighted_avg", scores_mean="mean", scores_sum="sum")
PAMR = dict(num_iter=10, dilations=(1, 2, 4, 8, 12, 24))


class Talk2DINOAdapter(Adapter):
    methods = ("talk2dino",)

    def needs_image(self, point):
        return False  # inputs are not named as elsewhere; ``derive`` finds them

    def derive(self, point):
        part, _, name = point.partition("/")
        if part == "train":
            return self.train(name)
        if part == "enc":
            return self.encoded(name)
        if part in ("infer", "infer_noaa"):
            return self.infer(name, antialias=part == "infer")
        return None

    # what the case's weights are

    def tensors_of(self, prefix: str) -> dict[str, Tensor]:
        tensors = load_file(self.case.weights)
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    def given(self, name: str) -> Tensor:
        """An input of the case, or the shipped case's where it has none."""
        return next(case.tensors[name] for case in (self.case, self.case.base) if case and name in case.tensors)

    def head_config(self, **options) -> dict:
        mapping = self.tensors_of("proj.")
        image_dim, text_dim = mapping["linear_layer.weight"].shape
        hidden = sum(key.startswith(("hidden_layers.", "linear_layer2.")) for key in mapping) // 2
        return dict(
            type="Talk2DINOHead",
            text_dim=text_dim,
            image_dim=image_dim,
            hidden=hidden,
            pretrained=mapping,
            bg_weight=self.case.meta.get("hyper", {}).get("lambda_bg", 0.2),
            **options,
        )

    def head(self, **options) -> Talk2DINOHead:
        return self._once(self.head_config(**options), ("head", *options.items()))

    def backbone_config(self, **options) -> dict:
        tensors = self.tensors_of("dinov2.")
        dims = self.case.meta.get("dims", {})
        width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
        side = math.isqrt(tensors["pos_embed"].shape[1] - 1)
        depth = len({key.split(".")[1] for key in tensors if key.startswith("blocks.")})
        return dict(
            type="DINOBackbone",
            model=f"vit_small_patch14_{'reg4_' if 'register_tokens' in tensors else ''}dinov2",
            pretrained=tensors,
            position="gem" if dims.get("interpolate_antialias", True) else "mmseg",
            capture=("cls_logits",),
            model_options=dict(
                img_size=side * patch,
                patch_size=patch,
                embed_dim=width,
                depth=depth,
                num_heads=dims.get("heads", width // 64),
                mlp_ratio=tensors["blocks.0.mlp.fc1.weight"].shape[0] / width,
            ),
            **options,
        )

    def _once(self, config, key):
        key = repr(key)
        if key not in self._built:
            self._built[key] = MODELS.build(config)
        return self._built[key]

    # what the case holds

    def train(self, name: str) -> Tensor | None:
        if name in ("text", "visual_heads"):
            return None
        heads, text = (self.given(f"train/{key}") for key in ("visual_heads", "text"))
        mapping = self.head().mapping
        if name in STRATEGIES:
            return alignment_scores(heads, mapping(text), STRATEGIES[name])[0].detach()
        mapping.requires_grad_(True).zero_grad()
        loss = info_nce(alignment_scores(heads, mapping(text))[0])
        if name == "loss":
            return loss.detach()
        loss.backward()
        parameters = dict(mapping.named_parameters())
        found = parameters.get(name.removeprefix("grad_"))
        return None if found is None else found.grad.clone()

    def encoded(self, name: str) -> Tensor | None:
        backbone = self._once(self.backbone_config(), "plain")
        features = backbone(self.given("enc/img_norm"))
        if name == "head_embeddings":
            return self.head().image_embeddings(features)
        if name == "head_attn_softmax":
            return attention_logits(features).flatten(2).softmax(-1)
        return None

    def infer(self, name: str, antialias: bool) -> Tensor | Labels | None:
        text = self.given("infer/clip_text")
        if name == "text_emb":
            return torch.nn.functional.normalize(self.head().mapping(text), dim=-1).detach()
        tag = next((key.removeprefix(IMAGE) for key in self.case.tensors if self.belongs(name, key)), None)
        if tag is None:
            return None
        image = self.case.tensors[IMAGE + tag].flip(1)
        model = self.model("bgclean" in name or name.startswith("pred_with_bg"), antialias)
        if name.startswith("mask_"):
            masks = self.masks(model, image)
            return pamr(image, masks, **PAMR) if name.endswith("_pamr") else masks
        if name.startswith("pred_with_bg"):
            return self.prediction(image, name, antialias)
        features = model.backbone(self.normalised(model, image))
        if name.startswith("simmap"):
            return torch.logit(self.head()(features, text)).detach()
        if name.startswith("patchtokens"):
            return patch_rows(features.maps[-1])
        return attention_logits(features).flatten(2) if name.startswith("self_attn_maps") else None

    @staticmethod
    def belongs(name: str, key: str) -> bool:
        tag = key.removeprefix(IMAGE)
        return key.startswith(IMAGE) and (name.endswith(f"_{tag}") or f"_{tag}_" in name)

    def model(self, bg_clean: bool, antialias: bool, **settings) -> OpenVocabSegmentor:
        side = self.case.meta.get("dims", {}).get("resize_dim", 448)
        refine = settings.pop("refine", None)
        text = self.given("infer/clip_text")
        names = [f"class {index}" for index in range(len(text))]
        if "prob_threshold" in settings:
            names = ["background", *names]
        phrases = tuple(() if name == "background" else (name,) for name in names)
        index = torch.arange(len(text)) + len(names) - len(text)
        return self._once(
            dict(
                type="OpenVocabSegmentor",
                backbone=self.backbone_config(input_size=side, antialias=antialias),
                decode_head=self.head_config(bg_clean=bg_clean),
                class_embeddings=ClassEmbeddings(text, index, Vocabulary(tuple(names), phrases), space=""),
                refine=refine,
                test_cfg=dict(mode="whole", window_align_corners=True, **settings),
            ),
            ("model", bg_clean, antialias, settings, refine),
        )

    @staticmethod
    def normalised(model: OpenVocabSegmentor, image: Tensor) -> Tensor:
        processor = model.data_preprocessor
        return (image - processor.mean) / processor.std

    @torch.no_grad()
    def masks(self, model: OpenVocabSegmentor, image: Tensor) -> Tensor:
        encoded = model.encode(self.normalised(model, image))
        return torch.stack([model.window_logits(encoded[index]).full() for index in range(len(encoded))])

    def prediction(self, image: Tensor, name: str, antialias: bool) -> Labels:
        """Labels with a constant background channel; the official run's masks are the cleaned and refined ones."""
        digits = name.removeprefix("pred_with_bg").split("_")[0]
        threshold = int(digits) / 10 ** (len(digits) - 1)
        model = self.model(True, antialias, prob_threshold=threshold, refine=dict(type="PAMR", **PAMR))
        samples = model.decode(model.encode(self.normalised(model, image)))
        labels = torch.stack([sample.pred_sem_seg.data[0] for sample in samples])
        masks = pamr(image, self.masks(self.model(True, antialias), image), **PAMR)
        constant = torch.full_like(masks[:, :1], threshold)
        return Labels(labels, torch.cat([constant, masks], dim=1), threshold)
