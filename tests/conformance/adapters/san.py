"""SAN on mmseg's modules: CLIP features, masks and attention biases, recognition. Sizes come from the weights."""

from __future__ import annotations

import re
from functools import cached_property

import torch
from comparison import SCALED_LOGIT_ATOL
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.models.san_checkpoint import SAN_RULES, rename
from ovdense.models.segmentors import SANSegmentor


class SANAdapter(Adapter):
    methods = ("san",)
    inputs = r"image|clip_input|classifier"

    def needs_image(self, point: str) -> bool:
        return False

    @cached_property
    def model(self) -> SANSegmentor:
        shapes, dims = self.case.weight_shapes, self.case.meta.get("dims", {})
        clip, side, decoder = dims.get("clip", {}), dims.get("side", {}), dims.get("decoder", {})

        def count(pattern: str) -> int:
            return len({match[1] for name in shapes if (match := re.match(pattern, name))})

        width, _, patch, _ = shapes["clip_visual_extractor.conv1.weight"]
        cells = shapes["clip_visual_extractor.positional_embedding"][0] - 1
        side_cells = shapes["side_adapter_network.vit_model.pos_embed"][1]
        side_width, _, side_patch, _ = shapes["side_adapter_network.vit_model.patch_embed.proj.weight"]
        depth = count(r"clip_visual_extractor\.resblocks\.(\d+)\.")
        heads = clip.get("heads", max(1, width // 64))
        queries = shapes["side_adapter_network.query_embed"][1]
        mask_decoder = "side_adapter_network.mask_decoder."
        activation = dict(type="QuickGELU" if clip.get("quick_gelu", self.quick_gelu) else "GELU")
        model = SANSegmentor(
            image_encoder=dict(
                img_size=(int(cells**0.5) * patch,) * 2,
                patch_size=patch,
                patch_pad=0,
                embed_dims=width,
                num_layers=depth,
                num_heads=heads,
                mlp_ratio=shapes["clip_visual_extractor.resblocks.0.mlp.c_fc.weight"][0] // width,
                out_origin=True,
                out_indices=tuple(range(depth)),
                with_cls_token=True,
                output_cls_token=True,
                patch_bias=False,
                pre_norm=True,
                norm_cfg=dict(type="LN", eps=1e-5),
                act_cfg=activation,
                interpolate_mode="bicubic",
                frozen_exclude=["pos_embed"],
            ),
            decode_head=dict(
                reference_size=(int(side_cells**0.5) * side_patch,) * 2,
                deep_supervision_idxs=[],
                san_cfg=dict(
                    in_channels=3,
                    clip_channels=width,
                    embed_dims=side_width,
                    patch_size=side_patch,
                    num_queries=queries,
                    fusion_index=[int(layer) for layer in sorted(self.fusion)],
                    cfg_encoder=dict(
                        num_encode_layer=count(r"side_adapter_network\.vit_model\.blocks\.(\d+)\."),
                        num_heads=side.get("heads", 6),
                        mlp_ratio=shapes["side_adapter_network.vit_model.blocks.0.mlp.fc1.weight"][0] // side_width,
                    ),
                    cfg_decoder=dict(
                        num_heads=decoder.get("heads", heads),
                        num_layers=decoder.get("total_layers", 1),
                        embed_channels=shapes[mask_decoder + "query_mlp.layers.2.weight"][0],
                        mlp_channels=shapes[mask_decoder + "query_mlp.layers.0.weight"][0],
                        num_mlp=3,
                        rescale=True,
                    ),
                    norm_cfg=dict(type="LN", eps=1e-6),
                ),
                maskgen_cfg=dict(
                    sos_token_num=queries,
                    num_layers=count(r"clip_rec_head\.resblocks\.(\d+)\."),
                    embed_dims=width,
                    num_heads=heads,
                    out_dims=shapes["clip_rec_head.proj"][1],
                    act_cfg=activation,
                    norm_cfg=dict(type="LN", eps=1e-5),
                ),
            ),
        )
        state, _ = rename(load_file(self.case.weights), SAN_RULES)
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected and set(missing) <= {"bg_embed", "logit_scale"}, (missing, unexpected)
        return model.eval()

    quick_gelu = True  # OpenAI weights

    @property
    def fusion(self) -> dict[int, int]:
        """CLIP feature of each side layer that takes one."""
        stated = self.case.meta.get("dims", {}).get("fusion_map", {0: 0, 1: 3, 2: 6, 3: 9})
        return {int(layer): int(index) for layer, index in stated.items()}

    @cached_property
    @torch.no_grad()
    def found(self) -> dict[str, torch.Tensor]:
        inputs, model = self.case.tensors, self.model
        features = model.image_encoder(inputs["clip_input"])
        found = {}
        for index, (maps, token) in enumerate(features):
            found[f"clip_feat_{index}"], found[f"clip_cls_{index}"] = maps, token[None]
        chosen = [features[index] for _, index in sorted(self.fusion.items())]
        masks, biases = model.decode_head.side_adapter_network(inputs["image"], chosen, [])
        embedded = model.decode_head.rec_with_attnbias(biases[-1], features[-1])
        found |= dict(mask_preds=masks[-1], attn_bias=biases[-1][0], mask_embs=embedded)
        found["mask_logits"] = torch.einsum("bqc,kc->bqk", embedded, inputs["classifier"])
        return found

    def derive(self, point):
        if point in ("mask_logits", "mask_preds", "attn_bias"):
            self.tolerances[point] = SCALED_LOGIT_ATOL
        return self.found.get(point)
