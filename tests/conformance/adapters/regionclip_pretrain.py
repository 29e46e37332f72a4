"""RegionCLIP's pseudo-labels and pretraining losses on stored features."""

from __future__ import annotations

import re

import torch

from adapters.base import Adapter
from ovdense.functional.region_pretraining import (
    concept_contrast,
    image_text_contrast,
    pseudo_labels,
    region_distillation,
)


class RegionCLIPPretrainAdapter(Adapter):
    methods = ("regionclip_pretrain",)

    def needs_image(self, point):
        return False

    def derive(self, point):
        tensors, dims = self.case.tensors, self.case.meta["dims"]
        if point == "loss_img_txt_level":
            return image_text_contrast(tensors["global_feats"], tensors["text_feats"], dims["temp"]).view(1)
        found = re.fullmatch(r"(t[\d.]+(?:_thr([\d.]+))?)\.(\w+)", point)
        if found is None:
            return None
        threshold = float(found[2] or dims["thresholds"][0])
        concepts = tensors["concept_emb"]
        kept, targets, log_p = pseudo_labels(tensors["teacher_region_feats"], concepts, dims["teacher_temp"], threshold)
        student = tensors["student_region_feats"].clone().requires_grad_()
        distill = region_distillation(student[kept], concepts, log_p, dims["temp"])
        contrast = concept_contrast(student[kept], concepts, targets, dims["temp"])
        name = found[3]
        if name == "grad_student":
            return torch.autograd.grad(distill + contrast, student)[0]
        return dict(
            concept_scores_kept=log_p.exp(),
            keep_regions=kept,
            label_mtx=(targets[:, None] == targets[None]).float(),
            target_inds=targets,
            loss_region_distill=distill.detach().view(1),
            loss_concept_contrastive=contrast.detach().view(1),
        ).get(name)
