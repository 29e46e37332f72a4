"""NACLIP: neighbourhood attention in all its ablations, the Gaussian window, sliding windows with and without PAMR."""

import re

import torch

from adapters.base import subsample, with_class_token
from adapters.sliding import SlidingAdapter
from ovdense.functional.attention import gaussian_bias

ATTENTION = {"naclip": "kk+gaussian", "kk": "kk", "nonly": "nonly", "csa": "qq+kk", "vanilla": "vanilla"}
WINDOWED = ("naclip", "nonly")


class NACLIPAdapter(SlidingAdapter):
    methods = ("naclip",)
    slide_backbone = dict(attention="kk+gaussian", attention_options=dict(std=5.0))
    # Scale as in the repository's default config; the threshold is the official run's, which the meta file omits.
    default_settings = dict(all=dict(logit_scale=40.0), thr=dict(prob_threshold=0.3))

    def needs_image(self, point):
        return not point.startswith("gauss_add_std")

    def derive(self, point):
        if point.startswith("gauss_add_std"):
            std, height, width = re.match(r"gauss_add_std([\d.]+)_(\d+)x(\d+)", point).groups()
            return gaussian_bias((int(height), int(width)), float(std), like=torch.zeros(1))[None]
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        kind, _, name = point.partition("/")
        if kind == tag:
            return self.sliding(tag, name)
        options = self.ablation(kind)
        if name.startswith("dense"):
            return with_class_token(self.features(tag, capture=("dense_cls",), **options))
        if name.startswith("logits_up"):
            model = self.segmentor(options, dict(mode="whole"))
            return subsample(self.phrase_maps(model, tag), self.case.tensors[point])
        return None

    @staticmethod
    def ablation(kind):
        """Backbone options of ``<architecture>_<attention>_<std>``; ``reduced`` drops residual and MLP."""
        architecture, attention, std = kind.split("_")
        whole = architecture == "vanilla"
        options = dict(attention=ATTENTION[attention], residual=whole, mlp=whole)
        if attention in WINDOWED:
            options["attention_options"] = dict(std=float(std))
        return options

    def refinement(self, kind):
        return dict(type="PAMR", num_iter=10, dilations=(8, 16)) if kind == "pamr" else None
