"""BARON: pseudo words, neighbours of proposals, the weighted loss and the ensemble."""

from __future__ import annotations

from functools import cached_property

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from adapters.base import Adapter
from adapters.baron_distillation import POSITIONS, Distillation
from adapters.parts import split_weights
from ovdense.functional.neighbourhood import cell_probabilities, direction_probabilities
from ovdense.functional.region_classification import region_cross_entropy
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.detector_checkpoints import baron_bbox_head
from ovdense.models.losses.bag_of_regions import value_tokens
from ovdense.models.text_encoders.pseudo_words import PseudoWordEncoder
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

PARTS = ("text_encoder", "image_encoder", "zero_bg", "learn_bg_attn12", "ens", "kd")


class BaronAdapter(Adapter):
    methods = ("ovdet_baron", "baron")

    def needs_image(self, point):
        return False

    def derive(self, point):
        part, _, name = point.partition(".")
        if part == "kd":
            return self.distillation(name)
        with torch.no_grad():
            return self.output(part, name)

    def output(self, part, name):
        t = self.case.tensors
        if part == "text" and name != "tokens":
            tokens = t["text.tokens"]
            kind = "last_block" if name == "encode_text_end12" else "text"
            encoder = self.encoder(kind)
            return encoder.encode(encoder.tower.token_embedding(tokens), tokens.argmax(1))
        if part == "image" and name == "embed":
            embedding = self.teacher(t["image.input"]).global_embedding
            return F.normalize(embedding, dim=-1) if is_unit(t["image.embed"]) else embedding
        if part == "image" and name == "tokens":
            features = self.teacher(t["image.input"])
            return value_tokens(self.teacher, features.extras["block_input"], features.grid)
        if part == "words":
            return self.sentence(name)
        if part in ("zero_bg", "learn_bg_attn12"):
            return self.head_output(part, name)
        if part in ("ens_softmax", "ens_sigmoid"):
            return self.ensemble_output(part, name)
        if part == "ens" and name == "is_base":
            return torch.cat([~self.ensemble("ens_softmax").bbox_head.classifier.untrained, torch.ones(1) > 0]).float()
        if part == "ce" and name.startswith("loss_avg"):
            weight = t["ce.class_weight"]
            logits = t["ce.logits"].masked_fill(weight < 1e-5, -torch.inf)
            factor = float(name.removeprefix("loss_avg"))
            loss = region_cross_entropy(logits, t["ce.labels"], background_weight=weight[-1].item(), avg_factor=factor)
            return loss.reshape(1)
        if part == "ns":
            cfg = self.case.meta["sampling_cfg"]
            options = dict(alpha=cfg["alpha"], base=cfg["base_probability"], cut_off=cfg["cut_off_thr"])
            size = tuple(t["ns.image_hw"].tolist())
            lrud = direction_probabilities(t["ns.boxes"], size, interval=cfg["interval"], **options)
            return dict(lrud=lrud, box_probability=cell_probabilities(lrud)).get(name)
        return None

    @cached_property
    def distiller(self):
        return Distillation(self)

    def distillation(self, name):
        if name.startswith("sampled_boxes_img"):
            bags = self.distiller.bags[int(name.removeprefix("sampled_boxes_img"))]
            return torch.cat([bag.boxes for proposal in bags for group in proposal for bag in group])
        if name == "position_embedding":
            with torch.no_grad():
                return self.distiller.module.positions(POSITIONS)
        if name == "grad_words_first":
            return self.distiller.first_gradient
        return self.distiller.losses.get(name)

    @cached_property
    def files(self):
        return split_weights(self.case.weights, *PARTS)

    def weights(self, part):
        return read_state_dict(self.files[part])

    @cached_property
    def tower(self):
        """The text tower in open_clip's layout."""
        tensors = self.weights("text_encoder")
        context, width = tensors["positional_embedding"].shape
        blocks = len({key.split(".")[2] for key in tensors if key.startswith("transformer.resblocks.")})
        vocab = len(tensors["token_embedding.weight"])
        stated = self.case.meta.get("text_cfg", {})
        text = dict(
            context_length=context, vocab_size=vocab, width=width, heads=int(stated.get("heads", 2)), layers=blocks
        )
        vision = dict(image_size=8, patch_size=8, width=8, layers=1, head_width=8)
        config = dict(embed_dim=tensors["text_projection"].shape[1], quick_gelu=True, vision_cfg=vision, text_cfg=text)
        return dict(model=config, pretrained=dict(tensors))

    def encoder(self, output):
        return PseudoWordEncoder(load_clip(**self.tower).text, output)

    @cached_property
    def teacher(self):
        path = self.files["image_encoder"]
        visual = {f"visual.{name}": value for name, value in read_state_dict(path).items()}
        width = len(visual["visual.class_embedding"])
        stated = dict(head_width=width // int(self.case.meta.get("image_heads", 2)))
        config = clip_config_of(visual, stated)
        options = dict(attention="vanilla", position="bilinear", capture=("block_input",), with_global=True)
        return MODELS.build(dict(type="CLIPViT", model=config, pretrained=visual, **options))

    def sentence(self, name):
        t = self.case.tensors
        mask = t["words.valid_mask_with_sot_eot"]
        words = t["words.source"] if "words.source" in t else t["zero_bg.pseudo_words"]
        encoder = self.encoder("text")
        tokens, end = encoder.sentences(words, mask[:, 1:-1] > 0)
        if name == "end_ids":
            return end
        if name == "pseudo_text":
            return tokens
        return encoder.encode(tokens, end) if name == "text_features" else None

    def box_config(self, part, weights, kind="TextConvFCBBoxHead"):
        output = "last_block" if "attn12" in part else "text"
        features, fc = self.case.tensors["roi_feats"].shape, weights["shared_fcs.0.weight"]
        text = dict(type="ovdense.PseudoWordClassifier", text=self.tower, output=output, logit_scale=50.0)
        words = len(weights["fc_cls.weight"]) // self.encoder(output).word_dim
        background = "learned" if "bg_embedding.weight" in weights else "zero"
        group = "base" if "is_base" in weights else None
        return dict(
            type=f"ovdense.{kind}",
            in_channels=features[1],
            conv_out_channels=len(weights["shared_convs.0.conv.weight"]),
            fc_out_channels=len(fc),
            roi_feat_size=features[-1],
            num_shared_convs=len({key.split(".")[1] for key in weights if key.startswith("shared_convs.")}),
            num_shared_fcs=len({key.split(".")[1] for key in weights if key.startswith("shared_fcs.")}),
            classifier=dict(text, num_words=words, background=background, trained_group=group),
        )

    def place(self, box, weights):
        rows = weights["cls_embeddings"]
        names = tuple(f"class {index}" for index in range(len(rows)))
        base = weights.get("is_base", torch.ones(len(rows) + 1))[:-1].bool()
        vocabulary = Vocabulary(names, tuple((n,) for n in names), groups=dict(base=base.nonzero().flatten().tolist()))
        box.set_class_embeddings(ClassEmbeddings(rows, torch.arange(len(rows)), vocabulary, space=""))
        return box.eval()

    def head(self, part):
        if part not in self._built:
            weights = self.weights(part)
            box = MODELS.build(ConfigDict(_scope_="mmdet", **self.box_config(part, weights)))
            load_strictly(box, baron_bbox_head(weights), f"the official head {part}")
            self._built[part] = self.place(box, weights)
        return self._built[part]

    def head_output(self, part, name):
        head = self.head(part)
        for_class, for_box = head.branches(self.case.tensors["roi_feats"])
        if name == "pseudo_words":
            return head.classifier.words(for_class)
        if name in ("cls_logits", "forward.cls"):
            return head.classifier(for_class)
        return head.fc_reg(for_box) if name == "forward.reg" else None

    def ensemble(self, part):
        if part not in self._built:
            weights = self.weights("ens")
            features = self.case.tensors["roi_feats"].shape
            extractor = dict(
                type="SingleRoIExtractor",
                roi_layer=dict(type="RoIAlign", output_size=features[-1], sampling_ratio=0),
                out_channels=features[1],
                featmap_strides=[4],
            )
            config = dict(
                type="ovdense.EnsembleRoIHead",
                bbox_roi_extractor=extractor,
                bbox_head=self.box_config("ens", weights, "EnsembleTextBBoxHead"),
                second=dict(activation=part.removeprefix("ens_")),
            )
            head = MODELS.build(ConfigDict(_scope_="mmdet", **config)).eval()
            load_strictly(head.bbox_head, baron_bbox_head(weights), "the ensemble")
            self.place(head.bbox_head, weights)
            self._built[part] = head
        return self._built[part]

    def ensemble_output(self, part, name):
        head, features = self.ensemble(part), self.case.tensors["roi_feats"]
        second = head.bbox_head.second_logits(features)
        if name == "kd_logits":
            return second
        first = head.bbox_head.classifier(head.bbox_head.branches(features)[0])
        return head.fuse_logits(first, second) if name == "scores" else None


def clip_config_of(tensors, stated):
    """``clip_config`` of tensors in memory."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    width, _, patch, _ = shapes["visual.conv1.weight"]
    side = round((shapes["visual.positional_embedding"][0] - 1) ** 0.5)
    layers = len({name.split(".")[3] for name in shapes if ".resblocks." in name})
    vision = dict(
        image_size=side * patch, patch_size=patch, width=width, layers=layers, head_width=stated["head_width"]
    )
    text = dict(context_length=8, vocab_size=64, width=16, heads=2, layers=1)
    return dict(embed_dim=shapes["visual.proj"][1], quick_gelu=True, vision_cfg=vision, text_cfg=text)


def is_unit(rows):
    return torch.allclose(rows.norm(dim=-1), torch.ones(len(rows)), atol=1e-4)
