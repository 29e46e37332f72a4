"""CLIPSelf: dense features, region features, the distillation loss with a gradient, and the pictures it is fed with."""

from __future__ import annotations

import re
from functools import cached_property

import torch
import torch.nn.functional as F
from PIL import Image

from adapters.base import Adapter, patch_rows
from adapters.parts import clip_config, split_weights
from ovdense.datasets.transforms.region_crops import PackRegionCrops, fit_longest, pad_square, to_tensor
from ovdense.functional.position import resize_position_table
from ovdense.functional.region_pooling import pool_regions
from ovdense.functional.self_distillation import grid_boxes, grid_choices
from ovdense.models.backbones.mask_tokens import mask_token_embeddings
from ovdense.models.pretrainers.clipself import region_features
from ovdense.registry import MODELS

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class CLIPSelfAdapter(Adapter):
    methods = ("clipself_eva", "clipself_openai", "clipself")

    def needs_image(self, point):
        return False

    def derive(self, point):
        if point.startswith("clipself.grad"):
            return self.gradient(point)
        with torch.no_grad():
            return self.output(point)

    def output(self, point):
        if point.startswith("encode_image"):
            return self.features(point).global_embedding
        if point == "encode_dense_flat":
            return patch_rows(F.normalize(self.features("encode_dense").dense, dim=1))
        if point.startswith("encode_dense"):
            return F.normalize(self.features(point).dense, dim=1)
        if point.startswith("rescaled"):
            return self.position_table(point)
        if point in ("roi_unnormalized", "rois_and_image.rois", "roi_normalized"):
            rois = region_features(self.model("student"), self.regions_image, self.pixel_boxes())
            return rois if point == "roi_unnormalized" else F.normalize(rois, dim=-1)
        if point == "rois_and_image.image":
            return F.normalize(self.model("student")(self.regions_image).global_embedding, dim=-1)
        if point == "roi_v1":
            return self.mask_tokens()
        if point == "mask_pool_normalized":
            return self.mask_pool()
        if point == "clipself.teacher_crop_features":
            return self.pretrainer.teacher(self.distillation[1]).global_embedding
        if point == "clipself.loss_cosine":
            return self.pretrainer.loss(*self.distillation)["loss_cosine"].reshape(1)
        return None

    def model(self, part):
        """A backbone of the case: ``student`` or ``teacher``."""
        return self._once(self.model_config(part))

    def model_config(self, part="student"):
        weights = split_weights(self.case.weights, "student", "teacher")[part]
        model = clip_config(self.case, weights)
        kind = "CLIPTimm" if "timm_model_name" in model["vision_cfg"] else "CLIPViT"
        return dict(type=kind, model=model, pretrained=str(weights), position="mmseg", with_global=True)

    def features(self, point):
        """The student's features of the input that ends like the output's name."""
        tag = re.sub("^encode_(dense|image)", "", point)
        return self.model("student")(self.case.tensors[f"image{tag}"])

    @property
    def regions_image(self):
        return self.case.tensors["image_big"]

    def pixel_boxes(self, counts=(None, None)):
        height, width = self.regions_image.shape[-2:]
        size = torch.tensor([width, height, width, height])
        return [self.case.tensors[f"boxes_img{index}"][:count] * size for index, count in enumerate(counts)]

    def position_table(self, point):
        found = re.search(r"(\d+)x(\d+)", point)
        model = self.model("student")
        patch = model.stride
        size = self.case.tensors["image_rect"].shape[-2:]
        grid = tuple(int(n) for n in found.groups()) if found else (size[0] // patch, size[1] // patch)
        if hasattr(model.visual, "trunk"):
            return resize_position_table(model.visual.trunk.pos_embed[0], grid, "mmseg")[None]
        return resize_position_table(model.visual.positional_embedding, grid, "mmseg")

    def mask_tokens(self):
        """The official masks keep whole cells: edges are cut down to integers."""
        model = self.model("student")
        boxes = self.pixel_boxes((3, None))
        grid = tuple(side // model.stride for side in self.regions_image.shape[-2:])
        most = max(len(group) for group in boxes)
        masks = torch.ones(len(boxes), most, *grid, dtype=torch.bool)
        for image, group in enumerate(boxes):
            for index, box in enumerate((group / model.stride).long().tolist()):
                masks[image, index] = False
                masks[image, index, box[1] : box[3], box[0] : box[2]] = True
        tokens = mask_token_embeddings(model, self.regions_image, masks)
        rows = torch.cat([image[: len(group)] for image, group in zip(tokens, boxes)])
        expected = self.case.tensors["roi_v1"]
        return F.normalize(rows, dim=-1) if torch.allclose(expected.norm(dim=-1), torch.ones(1)) else rows

    def mask_pool(self):
        dense = F.normalize(self.model("student")(self.regions_image).dense, dim=1)
        pooled = [pool_regions(dense[index], self.case.tensors[f"masks_img{index}"]) for index in range(len(dense))]
        return F.normalize(torch.cat(pooled), dim=-1)

    @cached_property
    def pretrainer(self):
        model = MODELS.build(dict(type="CLIPSelfPretrainer", backbone=self.model_config("student")))
        model.teacher.load_state_dict(self.model("teacher").state_dict())
        return model.eval()

    @cached_property
    def distillation(self):
        """Pictures, crops and boxes in pixels, as the pretrainer takes them."""
        tensors, image = self.case.tensors, self.regions_image
        height, width = image.shape[-2:]
        boxes = tensors["clipself.normed_boxes"]
        valid = boxes[..., 4] > 0.5
        size = torch.tensor([width, height, width, height])
        pixels = [rows[keep, :4] * size for rows, keep in zip(boxes, valid)]
        return image, tensors["clipself.image_crops"][valid], pixels

    def gradient(self, point):
        model = self.pretrainer
        model.zero_grad()
        model.loss(*self.distillation)["loss_cosine"].backward()
        if point == "clipself.grad_last_block_qk_is_zero":
            return torch.tensor([float(last_query_key_gradient(model.student.blocks()[-1]) == 0)])
        name = point.removeprefix("clipself.grad.visual.")
        prefix = "trunk." if hasattr(model.student.visual, "trunk") else ""
        return model.student.visual.get_parameter(prefix + name).grad


def last_query_key_gradient(block):
    """Largest gradient of the query and key projections of a block; 0 if there is none."""
    attn = block.attn
    if hasattr(attn, "in_proj_weight"):
        return attn.in_proj_weight.grad[: 2 * attn.embed_dim].abs().max().item()
    grads = [layer.weight.grad for layer in (attn.q_proj, attn.k_proj)]
    return max(0.0 if grad is None else grad.abs().max().item() for grad in grads)


class CLIPSelfGridAdapter(Adapter):
    methods = ("clipself_grid",)

    def needs_image(self, point):
        return False

    def derive(self, point):
        tensors = self.case.tensors
        if found := re.fullmatch(r"choices_M(\d+)", point):
            return torch.tensor(grid_choices(int(found.group(1))))
        if found := re.fullmatch(r"boxes_(\d+)x(\d+)", point):
            return grid_boxes(*(int(n) for n in found.groups()))
        picture = Image.fromarray(tensors["image_uint8"].numpy())
        longest = max(tensors["new_image"].shape[-2:])
        if point == "new_image":
            return normalise(to_tensor(pad_square(fit_longest(picture, longest), longest, False)))
        if found := re.fullmatch(r"crops(?:_scale([\d.]+))?", point):
            pack = PackRegionCrops(crop_size=tensors[point].shape[-1], crop_scale=float(found.group(1) or 1))
            return normalise(pack.cut(picture, tensors["boxes_pixels"].numpy()))
        scale = longest / max(picture.size)
        if point == "scale":
            return torch.tensor([scale])
        if point == "boxes_normed":
            return tensors["boxes_pixels"] * scale / longest
        if point == "boxes_pixels":
            return self.drawn_like(tensors[point], picture)
        return None

    def drawn_like(self, expected, picture):
        """The grid that we would draw, in the order of the stored boxes."""
        step = torch.tensor([picture.width, picture.height]) / (expected[0, 2:] - expected[0, :2])
        columns, rows = (int(n) for n in step.round())
        ours = grid_boxes(rows, columns) * torch.tensor([picture.width, picture.height] * 2)
        return ours[torch.cdist(expected, ours).argmin(1)]


def normalise(pictures):
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (pictures.float() / 255 - mean) / std
