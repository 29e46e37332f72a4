"""dino.txt: head tokens, image and text vectors, dense cosines."""

import math

import torch
from safetensors.torch import load_file
from torch import Tensor

from adapters.base import Adapter, patch_rows
from ovdense.functional.similarity import pixel_logits
from ovdense.models.backbones import DINOTxtBackbone
from ovdense.models.text_encoders.dinotxt_text import DINOTxtTower
from ovdense.registry import MODELS


class DINOTxtAdapter(Adapter):
    methods = ("dinotxt", "dino_txt")

    def needs_image(self, point):
        return not point.startswith("text_features")

    def derive(self, point):
        part, _, name = point.rpartition("/")
        if not part:
            return self.text_vectors(name)
        backbone = self.backbone()
        features = backbone(self.case.images[part])
        if name == "class_token":
            return features.global_embedding[:, : backbone.embed_dim]
        if name == "patch_tokens":
            return patch_rows(features.dense)
        if name == "image_features":
            return features.global_embedding
        if name == "cos":
            return pixel_logits(features.dense, self.rows("patch"), scale=1.0)
        if name == "image_logits":
            cosines = pixel_logits(features.global_embedding[..., None, None], self.rows("both"), scale=1.0)
            return cosines[..., 0, 0] * backbone.logit_scale
        return None

    def backbone(self) -> DINOTxtBackbone:
        tensors, dims = load_file(self.case.weights), self.case.meta.get("dims", {})
        trunk = {key.split("backbone.")[1].removeprefix("model."): value for key, value in tensors.items()
                 if key.startswith("visual_model.backbone.")}  # fmt: skip
        width, _, patch, _ = trunk["patch_embed.proj.weight"].shape
        return self._once(
            dict(
                type="DINOTxtBackbone",
                model=f"vit_small_patch14_{'reg4_' if 'register_tokens' in trunk else ''}dinov2",
                pretrained=str(self.case.weights),
                with_global=True,
                model_options=dict(
                    img_size=math.isqrt(trunk["pos_embed"].shape[1] - 1) * patch,
                    patch_size=patch,
                    embed_dim=width,
                    depth=len({key.split(".")[1] for key in trunk if key.startswith("blocks.")}),
                    num_heads=dims.get("heads", width // 64),
                    mlp_ratio=trunk["blocks.0.mlp.fc1.weight"].shape[0] / width,
                ),
            )
        )

    def _once(self, config):
        key = repr(config)
        if key not in self._built:
            self._built[key] = MODELS.build(config)
        return self._built[key]

    @torch.no_grad()
    def rows(self, half: str) -> Tensor:
        """Vectors of the case's token ids, in the way of the text encoder."""
        heads = self.case.meta.get("dims", {}).get("text_heads")
        tower = DINOTxtTower(
            pretrained=str(self.case.weights), half=half, text_options=dict(heads=heads), batch_size=256, device="cpu"
        )
        tower.tokenize = lambda tokens: tokens
        return tower.encode_sentences(self.case.tensors["tokens"])

    def text_vectors(self, name: str) -> Tensor | None:
        if name not in ("text_features", "text_features_norm"):
            return None
        rows = self.rows("both")
        return torch.nn.functional.normalize(rows, dim=-1) if name.endswith("norm") else rows
