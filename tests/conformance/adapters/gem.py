"""GEM: self-self attention beside the ordinary stream, and its heat maps."""

import re

import torch

from adapters.base import Adapter, patch_rows, subsample, with_class_token

# The official run's inverse temperature of the settings with ``temp``, which the meta file omits.
TEMPERATURE = 4.0


class GEMAdapter(Adapter):
    methods = ("gem",)

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        setting, _, name = point.partition("/")
        options = self.options(setting)
        if name.startswith("gem_"):
            return with_class_token(self.features(tag, capture=("dense_cls",), **options))
        if name.startswith("ori_"):
            extras = self.features(tag, capture=("vanilla", "vanilla_cls"), **options).extras
            return torch.cat([extras["vanilla_cls"][:, None], patch_rows(extras["vanilla"])], dim=1)
        if name.startswith("logits_"):
            head = dict(type="PixelTextHead", normalize_maps=name.startswith("logits_norm"))
            model = self.segmentor(options, dict(mode="whole"), decode_head=head)
            return subsample(self.phrase_maps(model, tag), self.case.tensors[point])
        return None

    @staticmethod
    def options(setting):
        """Backbone options of ``default``, ``iter2_temp``, ``depth3``, ..."""
        depth, iterations = re.search(r"depth(\d+)", setting), re.search(r"iter(\d+)", setting)
        return dict(
            attention="gem",
            position="gem",
            official_quirks=False,  # GEM resamples its table even where the number of cells agrees
            attention_options=dict(
                depth=int(depth.group(1)) if depth else 7,
                iterations=int(iterations.group(1)) if iterations else 1,
                temperature=TEMPERATURE if "temp" in setting else None,
            ),
        )
