"""CLIP-DINOiser: value path, inner layer, both convolutions, teachers, losses and their gradients."""

from functools import cached_property

import torch
import torch.nn.functional as F

from adapters.base import Adapter, patch_rows, vit_config
from adapters.parts import dino_config, split_weights
from ovdense.functional.affinity import cosine_affinity, pool_by_affinity
from ovdense.functional.similarity import pixel_logits
from ovdense.models.backbones.base import pad_to_cells
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.decode_heads.clip_dinoiser_head import dinoiser_losses, mark_background
from ovdense.models.teachers import resize_objectness
from ovdense.registry import MODELS

PARTS = ("dino_b16", "found_vits8", "found", "obj_proj", "bkg_decoder")


class CLIPDINOiserAdapter(Adapter):
    methods = ("clip_dinoiser", "dinoiser")

    @cached_property
    def files(self):
        return split_weights(self.case.weights, *PARTS)

    def model_config(self):
        act = self.case.meta.get("vit", {}).get("act", "GELU")
        model = vit_config(self.case, act=act)
        return super().model_config() | dict(model=model, pretrained=str(self.files["visual"]), position="mmseg")

    def features(self, tag):
        capture = ("mlp_input", "normed")
        backbone = self.backbone(attention="value", capture=capture, padding="corner")
        return backbone(self.images(tag, backbone))

    def images(self, tag, backbone):
        """Padded while values are 0 to 1, then normalised: the order of the official code."""
        raw, _ = pad_to_cells(self.case.images[tag], 16, "corner")
        mean, std = (raw.new_tensor(v)[:, None, None] for v in (backbone.image_mean, backbone.image_std))
        return (raw - mean) / std

    def head(self, **options):
        """The official convolutions, loaded strictly."""
        weights = {
            f"{part}.{name}": value
            for part in ("obj_proj", "bkg_decoder")
            for name, value in read_state_dict(self.files[part]).items()
        }
        proj, inner, kernel, _ = weights["obj_proj.weight"].shape
        hyper = self.case.meta.get("hyper", {})
        options = dict(gamma=hyper.get("gamma", 0.2), delta=hyper.get("delta", 0.99)) | options
        sizes = dict(in_channels=inner, proj_channels=proj, kernel_size=kernel)
        head = MODELS.build(dict(type="CLIPDINOiserHead", **sizes, **options))
        load_strictly(head, weights, "the official head")
        return head

    def teacher_features(self, part, tag, capture):
        config = dino_config(self.case, self.files[part], "dino_tiny" if part == "dino_b16" else "found_tiny")
        backbone = self._once(dict(config, capture=(capture,)))
        return backbone(self.images(tag, backbone))

    def dino(self, tag):
        return self.teacher_features("dino_b16", tag, "v").extras["v"]

    def found(self, tag):
        features = self.teacher_features("found_vits8", tag, "k")
        weights = {key.removeprefix("decoder."): value for key, value in read_state_dict(self.files["found"]).items()}
        head = MODELS.build(dict(type="FOUNDHead", in_channels=weights["weight"].shape[1]))
        load_strictly(head.decoder, weights, "the official decoder")
        return head.foreground(features).detach()

    def needs_image(self, point):
        return not point.startswith("meta_")

    def derive(self, point):
        if not self.needs_image(point):
            return torch.tensor(float(getattr(self.head(), point.removeprefix("meta_"))))
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        name = point.removeprefix(f"{tag}/")
        if name.startswith(("loss_", "grad_")):
            return self.trained(tag, name)
        with torch.no_grad():
            return self.inferred(tag, name)

    def inferred(self, tag, name):
        if name in ("dino_feats", "dino_corrs"):
            maps = self.dino(tag)
            rows = F.normalize(maps.flatten(2), dim=1)
            return rows if name == "dino_feats" else self.cut(self.as_maps(cosine_affinity(maps), maps))
        if name.startswith("found_preds"):
            maps = self.found(tag)
            grid = self.features(tag).grid
            return maps if name == "found_preds" else resize_objectness(maps, grid, not name.endswith("noaa"))
        if name.startswith("teacher_out"):
            return self.taught(tag, name)
        features, head = self.features(tag), self.head(apply_found=name == "out_bg", official_quirks=True)
        correlations = head.correlations(features)
        outputs = {
            "maskclip_v": lambda: features.extras["normed"],
            "maskclip_feat": lambda: features.dense,
            "maskclip_probs": lambda: pixel_logits(features.dense, self.text, 100.0).softmax(1),
            "clip_inter": lambda: torch.cat([self.class_token(tag), patch_rows(features.extras["mlp_input"])], 1),
            "bkg_logits": lambda: head.object_logits(features),
            "corrs_raw": lambda: self.as_maps(correlations, features.dense),
            "pooled_feats": lambda: pool_by_affinity(features.dense, correlations, head.gamma),
            "out_nobg": lambda: head(features, self.text),
            "out_bg": lambda: head(features, self.text),
        }
        return outputs[name]() if name in outputs else None

    def class_token(self, tag):
        """(B,1,D) the class token where the patches of ``mlp_input`` come from."""
        backbone = self.backbone(attention="value", capture=("mlp_input", "normed"), padding="corner")
        with backbone._watch_mlp_input() as seen:
            backbone(self.images(tag, backbone))
        return seen[0][:, :1]

    def taught(self, tag, name):
        """The official DinoCLIP: pooled along the teacher's own correspondences, background by FOUND itself."""
        features, gamma = self.features(tag), self.head().gamma
        pooled = pool_by_affinity(features.dense, cosine_affinity(self.dino(tag)), gamma)
        probability = pixel_logits(pooled, self.text, 100.0).softmax(1)
        if "nobg" not in name:
            objects = resize_objectness(self.found(tag), features.grid, not name.endswith("noaa")) > 0.5
            background = (probability.amax(1) < self.head().delta) & ~objects[:, 0]
            probability = mark_background(probability, background, official_quirks=True)
        return probability

    def trained(self, tag, name):
        """A loss, or the gradient of their sum; the official run made both with the averaged FOUND map."""
        features, head = self.features(tag), self.head()
        belongs = cosine_affinity(self.dino(tag)) >= head.gamma
        objects = resize_objectness(self.found(tag), features.grid, True) > 0.5
        losses = dinoiser_losses(head.correlations(features), head.object_logits(features), belongs, objects)
        if name.startswith("loss_"):
            return losses["loss_correspondence" if name == "loss_dino" else "loss_objectness"].detach()
        sum(losses.values()).backward()
        return dict(head.named_parameters())[name.removeprefix("grad_")].grad

    def as_maps(self, affinity, like):
        return affinity.unflatten(2, tuple(like.shape[-2:]))

    def cut(self, maps):
        return maps.masked_fill(maps < self.head().gamma, 0)
