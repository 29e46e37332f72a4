"""ProxyCLIP: the last block on given proxy features, and the whole segmentor with a DINO."""

import re

import torch
from comparison import Labels
from torch import Tensor

from adapters.base import Adapter, last_block_input, named_size, patch_rows, subsample
from adapters.parts import dino_config, split_weights


class ProxyCLIPAdapter(Adapter):
    methods = ("proxyclip",)
    # Scale as in the repository's default config; windows and threshold of the official run, which the meta file omits.
    slide = dict(mode="slide", crop_size=112, stride=56, logit_scale=40.0)
    threshold = 0.2

    def needs_image(self, point):
        return False

    def derive(self, point) -> Tensor | Labels | None:
        found = re.match(r"core_(tokens_LND|attn_out_LND|dense)_(.+)$", point)
        if found:
            return self.core(*found.groups())
        kind, _, name = point.partition("/")
        if kind != "dino":
            return None
        tag = self.case.tag_of(point) or self.slide_tag()
        if name.startswith("last_norm_tokens"):
            return self.dino_tokens(tag)
        if name.startswith("logits_up"):
            return subsample(self.phrase_maps(self.model(mode="whole"), tag), self.case.tensors[point])
        if name.startswith("slide_logits"):
            full = self.phrase_maps(self.model(**self.slide), tag, named_size(name))
            return subsample(full, self.case.tensors[point])
        if name in ("plain_pred", "thr_pred"):
            threshold = dict(prob_threshold=self.threshold) if name == "thr_pred" else {}
            model = self.model(**self.slide, **threshold)
            return self.labels(model, tag, tuple(self.case.tensors[point].shape[-2:]))
        return None

    def model_config(self) -> dict:
        files = split_weights(self.case.weights, "dino")
        return dict(
            super().model_config(),
            type="ProxyBackbone",
            pretrained=str(files["visual"]),
            proxy=dino_config(self.case, files["dino"]),
            padding="center",
            pad_to=56,
            capture=("tokens", "input", "input_cls"),
        )

    def model(self, **test_cfg):
        return self.segmentor({}, test_cfg)

    def core(self, name: str, tag: str) -> Tensor:
        """The last block with the stored proxy features; the official run padded nothing here."""
        image, proxy = (self.case.tensors[f"core_{kind}_{tag}"] for kind in ("img", "exfeat"))
        features = self.backbone().encode(image, proxy_maps=proxy)
        if name == "tokens_LND":
            return last_block_input(features)
        if name == "attn_out_LND":
            return patch_rows(features.extras["tokens"]).transpose(0, 1)
        return patch_rows(features.dense)

    def dino_tokens(self, tag: str) -> Tensor:
        """(B, 1 + h*w, D) normed tokens of the DINO, class token first."""
        proxy = self.backbone(with_global=False).proxy
        images = self.case.images[tag]
        proxy.with_global = True
        features = self.backbone().run_proxy(images)
        return torch.cat([features.global_embedding[:, None], patch_rows(features.maps[-1])], dim=1)

    def slide_tag(self) -> str | None:
        """The input of the sliding run, which its outputs do not name."""
        ends = [point for point in self.case.outputs if "/" in point]
        free = [tag for tag in self.case.images if not any(point.endswith(f"_{tag}") for point in ends)]
        return next(iter(free), None)
