"""FOUND: the published decoder on given features, and a tiny ViT with its objectness and discovered background."""

import torch

from adapters.base import Adapter
from adapters.parts import dino_config, split_weights
from ovdense.functional.affinity import background_from_seed
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


class FOUNDAdapter(Adapter):
    methods = ("found",)

    def needs_image(self, point):
        return not point.startswith("real/")

    @torch.no_grad()
    def derive(self, point):
        name = point.rpartition("/")[2]
        if point == "real/feats":
            return None  # an input
        if point == "real/logits":
            features = DenseFeatures(dense=None, extras=dict(k=self.case.tensors["real/feats"]))
            return self.head("real_decoder").object_logits(features)
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        features = self.features(tag)
        grid = tuple(features.extras["k"].shape[-2:])
        if name == "preds":
            return self.head("decoder").object_logits(features)
        if name == "feats":
            return features.extras["k"]
        if name == "att_cls":
            return features.extras["attention"][:, :, 0]
        if name == "bkg_mask":
            attention = features.extras["attention"][:, :, 0, 1:].unflatten(2, grid)
            return background_from_seed(features.extras["k"], attention).float()
        return None

    def features(self, tag):
        file = split_weights(self.case.weights, "dino", "decoder", "real_decoder")["dino"]
        config = dino_config(self.case, file, "dino_tiny")
        heads = next((t.shape[1] for k, t in self.case.tensors.items() if k.endswith("att_cls")), None)
        if heads:
            config["model_options"]["num_heads"] = heads
        return self._once(dict(config, capture=("k", "attention")))(self.case.images[tag])

    def head(self, part):
        """A decoder of the case, loaded strictly."""
        file = split_weights(self.case.weights, "dino", "decoder", "real_decoder")[part]
        weights = read_state_dict(file)
        head = MODELS.build(dict(type="FOUNDHead", in_channels=weights["weight"].shape[1]))
        load_strictly(head.decoder, weights, "the official decoder")
        return head
