"""MAFT+ as a whole, from an image and text rows: FC-CLIP's stages with content-dependent text."""

from __future__ import annotations

import re
from functools import cached_property

import torch
from mmengine.registry import init_default_scope
from safetensors.torch import load_file

from adapters.fcclip import FCCLIPAdapter, post_processed
from adapters.mask_heads import class_rows, convnext_clip, mask2former_config
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.detectors import MAFTPlus
from ovdense.models.mask_checkpoints import MAFT_PLUS_RULES, TEXT_KEYS, convert_checkpoint

FINAL = re.compile(r"(?:.*\.)?(final_mask_cls|sem_seg|panoptic_seg|ins_\w+)")


class MAFTPlusAdapter(FCCLIPAdapter):
    methods = ("maftplus_full", "maftplus")

    @cached_property
    def model(self) -> MAFTPlus:
        init_default_scope("ovdense")
        shapes, meta = self.case.weight_shapes, self.case.meta
        weights, rows = load_file(self.case.weights), self.case.tensors["text_classifier"]
        dims, prefix = meta.get("dims", {}), "backbone.clip_model."
        clip = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        heads = next((dims[name] for name in ("cdt_nhead", "cdt_heads", "nhead") if name in dims), 8)
        heads = meta.get("cdt_params", [0, heads])[1]
        model = MAFTPlus(
            backbone=dict(type="CLIPConvNeXt", model=convnext_clip(shapes, prefix + "visual."), pretrained=clip),
            mask_head=dict(type="FCCLIPHead", **mask2former_config(shapes, dims)),
            transfer=dict(num_heads=heads, mode="panoptic" if "panoptic" in self.case.name else "semantic"),
            class_embeddings=class_rows(
                rows[:-1], meta.get("test_num_templates", [1] * (len(rows) - 1)), meta.get("test_classes")
            ),
        )
        text = dict.fromkeys(TEXT_KEYS, torch.zeros(1))
        converted = convert_checkpoint(weights, model, MAFT_PLUS_RULES, clip=text, fill_visual=False)
        load_strictly(model, converted.state, self.case.name)
        return model.eval()

    @cached_property
    @torch.no_grad()
    def stages(self) -> dict[str, torch.Tensor]:
        model, features = self.model, self.encoded.features[0]
        stages = super().stages
        stages.pop("out_vocab_logits")  # the official one has a column for void, which nothing reads
        stages["img_feat"] = features.dense
        stages["cdt_out"] = model.transfer(features.dense, self.case.tensors["text_classifier"])
        return stages

    @cached_property
    @torch.no_grad()
    def probabilities(self) -> torch.Tensor:
        """(Q,K+1) of the first image."""
        self.model._hand_on_classes()
        return self.model.class_probabilities(self.encoded.proposals[0], self.encoded.features[0])[0]

    def derive(self, point):
        match = FINAL.fullmatch(point)
        if match is None:
            return super().derive(point)
        if match[1] == "final_mask_cls":
            return self.probabilities.log()
        things = torch.zeros(self.probabilities.shape[-1] - 1, dtype=torch.bool)
        things[self.case.meta["thing_contiguous_ids"]] = True
        return post_processed(match[1], self.probabilities, self.masks, things, self.case.meta)
