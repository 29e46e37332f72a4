"""FC-CLIP: pixel decoder and head, the whole model, post-processing, and the ensemble's valid-mask rule.

All sizes come from the weights; the numbers of attention heads from the meta file.
"""

from __future__ import annotations

import re
from functools import cached_property

import torch
import torch.nn.functional as F
from comparison import SCALED_LOGIT_ATOL
from mmengine.registry import init_default_scope
from safetensors.torch import load_file

from adapters.base import Adapter
from adapters.mask_heads import class_rows, convnext_clip, mask2former_config
from ovdense.functional.mask_classification import class_logits, ensemble_weights, log_ensemble, seen_classes
from ovdense.functional.mask_pooling import has_pixels, pool_masks
from ovdense.functional.mask_postprocess import ResizedMasks, panoptic_segments, semantic_scores, top_instances
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.detectors import OpenVocabMaskFormer
from ovdense.models.mask_checkpoints import FCCLIP_RULES, convert_checkpoint, rename
from ovdense.models.mask_heads import FCCLIPHead
from ovdense.registry import MODELS


class FCCLIPHeadAdapter(Adapter):
    """Weights relative to ``sem_seg_head``, stage maps and text rows in."""

    methods = ("fcclip_head",)
    inputs = r"res\d|text_classifier"

    @cached_property
    def head(self) -> FCCLIPHead:
        init_default_scope("ovdense")
        shapes = {f"sem_seg_head.{key}": shape for key, shape in self.case.weight_shapes.items()}
        head = FCCLIPHead(**mask2former_config(shapes, self.case.meta.get("dims", {})))
        rows = self.case.tensors["text_classifier"]
        tensors = {f"sem_seg_head.{key}": value for key, value in load_file(self.case.weights).items()}
        state = {key.removeprefix("mask_head."): value for key, value in rename(tensors, FCCLIP_RULES)[0].items()}
        state["void_embedding.weight"] = rows[-1:]
        load_strictly(head, state, self.case.name)
        counts = self.case.meta.get("dims", {}).get("num_templates", [1] * (len(rows) - 1))
        head.set_classes(class_rows(rows[:-1], counts), torch.ones(len(counts), dtype=torch.bool))
        return head.eval()

    @cached_property
    @torch.no_grad()
    def found(self) -> dict[str, torch.Tensor]:
        maps = [self.case.tensors[f"res{stage}"] for stage in (2, 3, 4, 5)]
        logits, masks = self.head(maps, [])
        mask_features, scales = self.head.pixel_decoder(maps)
        found = {"mask_features": mask_features, "pred_logits": logits[-1], "pred_masks": masks[-1]}
        found |= {f"multi_scale_{index}": scale for index, scale in enumerate(scales)}
        for index in range(len(logits) - 1):
            found[f"aux{index}_pred_logits"], found[f"aux{index}_pred_masks"] = logits[index], masks[index]
        return found

    def derive(self, point):
        if point.endswith("pred_logits"):
            self.tolerances[point] = SCALED_LOGIT_ATOL
        return self.found.get(point)


class FCCLIPAdapter(Adapter):
    """The whole model from an image and text rows; what a case stores of the way replaces ours where no image is."""

    methods = ("fcclip_full", "fcclip_validmask", "fcclip")
    inputs = r"image|text_classifier|category_overlapping_mask"

    def config(self) -> dict:
        """The model's config, on the case's weights and text rows."""
        shapes, meta = self.case.weight_shapes, self.case.meta
        weights, rows = load_file(self.case.weights), self.case.tensors["text_classifier"]
        prefix = "backbone.clip_model."
        clip = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        counts = meta.get("test_num_templates", [1] * (len(rows) - 1))
        return dict(
            type="OpenVocabMaskFormer",
            backbone=dict(type="CLIPConvNeXt", model=convnext_clip(shapes, prefix + "visual."), pretrained=clip),
            mask_head=dict(type="FCCLIPHead", **mask2former_config(shapes, meta.get("dims", {}))),
            region_classifier=dict(type="CLIPMaskPooling"),
            ensemble=dict(type="SeenUnseenEnsemble"),
            class_embeddings=class_rows(rows[:-1], counts, meta.get("test_classes")),
        )

    @cached_property
    def model(self) -> OpenVocabMaskFormer:
        init_default_scope("ovdense")
        model, weights = MODELS.build(self.config()), load_file(self.case.weights)
        text = dict.fromkeys(
            ("token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection"), torch.zeros(1)
        )
        load_strictly(model, convert_checkpoint(weights, model, clip=text).state, self.case.name)
        return model.eval()

    @property
    def post(self) -> dict:
        return self.case.meta.get("post", {})

    @cached_property
    def image(self):
        """The normalised image (1,3,H,W)."""
        mean, std = (torch.tensor(self.post[key]).view(3, 1, 1) for key in ("pixel_mean", "pixel_std"))
        image = self.case.tensors["image"]
        image = image if image.ndim == 4 else image[None]
        return (image - mean) / std

    @cached_property
    def encoded(self):
        size = tuple(self.image.shape[-2:])
        meta = dict(img_shape=size, ori_shape=tuple(self.post.get("output_size", size)))
        return self.model.encode(self.image, [meta] * len(self.image))

    @cached_property
    def seen(self):
        stored, meta = self.case.tensors.get("category_overlapping_mask"), self.case.meta
        if "test_classes" not in meta:
            return stored.bool()
        names = [[part.strip() for part in name.split(",")] for name in meta["test_classes"]]
        trained = [[part.strip() for part in name.split(",")] for name in meta["train_classes"]]
        seen = seen_classes(names, trained)
        assert stored is None or torch.equal(seen, stored.bool())
        return seen

    @cached_property
    @torch.no_grad()
    def stages(self) -> dict[str, torch.Tensor]:
        model = self.model
        model._hand_on_classes()
        features, proposals = self.encoded.features[0], self.encoded.proposals[0]
        final, masks = features.maps[-1], proposals.mask_logits
        classes, void = model.class_embeddings, model.mask_head.void_embedding.weight
        scale = model.region_classifier.scale
        return {
            "clip_vis_dense": final,
            "pred_masks": masks,
            "pred_logits": model.mask_head.classify(proposals.embeddings),
            "mask_for_pooling": F.interpolate(masks, final.shape[-2:], mode="bilinear"),
            "mask_pooled": pool_masks(final, masks),
            "pooled_clip_embedding": proposals.regions,
            "out_vocab_logits": class_logits(
                proposals.regions, classes.rows, classes.class_index, classes.num_classes, void=void, scale=scale
            ),
            "mask_pred_resized": self.masks.full(),
        }

    @cached_property
    def masks(self) -> ResizedMasks:
        return self.model._masks_of(self.encoded.proposals[0], self.encoded, 0)

    def stage(self, name: str) -> torch.Tensor:
        """A stage of the way: ours, or the stored one where the case has no image."""
        return self.stages[name] if "image" in self.case.tensors else self.case.tensors[name]

    def final_logits(self, alpha: float, beta: float, valid_only: bool) -> torch.Tensor:
        """(Q,K+1) of the first image."""
        masks, first, second = (self.stage(key) for key in ("pred_masks", "pred_logits", "out_vocab_logits"))
        usable = None
        if valid_only:
            usable = has_pixels(masks, tuple(self.stage("clip_vis_dense").shape[-2:]))
        return log_ensemble(first, second, ensemble_weights(self.seen, alpha, beta, usable))[0]

    def derive(self, point):
        if point.endswith(("pred_logits", "vocab_logits", "mask_cls", "mask_pred_resized")):
            self.tolerances[point] = SCALED_LOGIT_ATOL
        match = re.fullmatch(r"a([\d.]+)_b([\d.]+)(_valid\w*)?\.(\w+)", point)
        if match is None:
            return self.stages.get(point)
        alpha, beta, name = float(match[1]), float(match[2]), match[4]
        logits = self.final_logits(alpha, beta, bool(match[3]))
        if name == "final_mask_cls":
            return logits
        things = torch.zeros(logits.shape[-1] - 1, dtype=torch.bool)
        things[self.case.meta["thing_contiguous_ids"]] = True
        return post_processed(name, logits.softmax(-1), self.masks, things, self.case.meta)


class FCCLIPPostprocessAdapter(Adapter):
    """Results of class logits and mask logits at the size of the output."""

    methods = ("fcclip_postprocess",)
    inputs = r"mask_cls|mask_pred"

    def derive(self, point):
        tensors, meta = self.case.tensors, self.case.meta
        probabilities = tensors["mask_cls"].softmax(-1)
        things = torch.zeros(probabilities.shape[-1] - 1, dtype=torch.bool)
        things[meta["thing_contiguous_ids"]] = True
        return post_processed(point, probabilities, ResizedMasks(tensors["mask_pred"]), things, meta)


def post_processed(name, probabilities, masks, things, meta):
    """``sem_seg``, ``panoptic_seg`` or ``panoptic_thr0.35``, ``ins_scores``, ``ins_classes``, ``ins_masks``."""
    post = {**meta, **meta.get("post", {})}
    if name == "sem_seg":
        return semantic_scores(probabilities[:, :-1], masks)
    if name.startswith("panoptic"):
        threshold = re.fullmatch(r"panoptic_thr([\d.]+)", name)
        threshold = float(threshold[1]) if threshold else post.get("object_mask_threshold", 0.0)
        overlap = post.get("overlap_threshold", 0.8)
        segment_map, segments = panoptic_segments(
            probabilities, masks, things, score_thr=threshold, overlap_thr=overlap
        )
        check_segments(segments, meta.get("panoptic_segments_info", {}), f"thr{threshold}")
        return segment_map
    found = top_instances(probabilities[:, :-1], masks, things, max_per_img=post.get("test_topk_per_image", 100))
    return {"ins_scores": found.scores, "ins_classes": found.labels, "ins_masks": found.masks.to(torch.uint8)}.get(name)


def check_segments(segments, stated, threshold):
    """Ids, classes and kinds of the segments equal those in the meta file, where it lists them."""
    listed = stated.get(threshold) if isinstance(stated, dict) else stated
    if listed:
        ours = [(segment["id"], segment["label"], segment["isthing"]) for segment in segments]
        assert ours == [(one["id"], one["category_id"], one["isthing"]) for one in listed]
