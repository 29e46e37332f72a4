"""PMP-style models: masks that depend on the names that are asked for."""

from pathlib import Path

import pytest
import torch
from mask_models import TRAIN_CFG, clip_config, embeddings, head_config, images, samples
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from ovdense.models.detectors import OpenVocabMaskFormer
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny"


def build(**head):
    torch.manual_seed(5)
    with DefaultScope.overwrite_default_scope("ovdense"):
        model = OpenVocabMaskFormer(
            backbone=dict(type="CLIPConvNeXt", model=clip_config()),
            mask_head={**head_config(), **head},
            region_classifier=dict(type="CLIPMaskPooling"),
            ensemble=dict(type="SeenUnseenEnsemble"),
            class_embeddings=embeddings(),
            train_cfg=TRAIN_CFG,
        )
        model.mask_head.init_weights()
        return model.eval()


def open_gates(model):
    for layer in model.mask_head.transformer_decoder.layers:
        nn.init.constant_(layer.ffn.prompt.gate, 0.8)
    return model


@pytest.fixture
def guided():
    return build(type="PromptGuidedFCCLIPHead", prompt_heads=4)


def answers(model, pictures):
    encoded = model.encode(pictures)
    return [model.classify(encoded, index) for index in range(len(pictures))]


def test_at_gate_0_it_is_the_base_model(guided):
    plain = build()
    missing, unexpected = plain.load_state_dict(guided.state_dict(), strict=False)
    assert not missing and all("prompt" in name for name in unexpected)
    pictures = torch.stack(images((64, 96)))
    (masks, ours), (plain_masks, theirs) = answers(guided, pictures)[0], answers(plain, pictures)[0]
    assert torch.equal(masks.mask_logits, plain_masks.mask_logits) and torch.equal(ours, theirs)


def test_the_order_of_the_names_does_not_count(guided):
    open_gates(guided)
    pictures = torch.stack(images((64, 96)))
    encoded = guided.encode(pictures)
    masks, first = guided.classify(encoded, 0)
    order = [2, 0, 1]
    guided.set_vocabulary(guided.class_embeddings.subset(order))
    other_masks, second = guided.classify(encoded, 0)
    torch.testing.assert_close(other_masks.mask_logits, masks.mask_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(second[:, [*(order.index(k) for k in range(3)), 3]], first, atol=1e-4, rtol=1e-3)
    guided.set_vocabulary(guided.class_embeddings.subset([0]))
    alone, _ = guided.classify(encoded, 0)
    assert (alone.mask_logits - masks.mask_logits).abs().max() > 1e-3  # masks depend on what is asked for


def test_a_picture_gives_the_same_alone_and_in_a_batch(guided):
    open_gates(guided)
    pictures = torch.stack(images((64, 96), (64, 96)))
    together = answers(guided, pictures)
    for index in range(2):
        masks, probabilities = answers(guided, pictures[index : index + 1])[0]
        torch.testing.assert_close(masks.mask_logits, together[index][0].mask_logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(probabilities, together[index][1], atol=1e-5, rtol=1e-3)


def test_it_learns(guided):
    guided.train()
    losses = guided.loss(torch.stack(images((64, 96))), [samples((64, 96))])
    sum(value for name, value in losses.items() if "loss" in name).backward()
    gates = [layer.ffn.prompt.gate for layer in guided.mask_head.transformer_decoder.layers]
    assert all(gate.grad is not None and gate.grad.abs() > 0 for gate in gates)
    assert all(layer.ffn.prompts is None for layer in guided.mask_head.transformer_decoder.layers)


def test_it_needs_names_first(guided):
    guided.mask_head._classes = None
    with pytest.raises(RuntimeError, match="call set_classes"):
        guided.mask_head.propose([], [])


class TestOnOVSeg:
    """The same on OVSeg's DETR decoder."""

    @staticmethod
    def build(**head):
        names = tuple(f"class {index}" for index in range(5))
        rows = nn.functional.normalize(torch.randn(5, 384, generator=torch.Generator().manual_seed(0)), dim=1)
        classes = ClassEmbeddings(rows, torch.arange(5), Vocabulary(names, tuple((name,) for name in names)), space="")
        config = Config.fromfile(TINY / "pmp-ovseg_scenes_scenes-143-96.py").model
        config.update(vocabulary=None, trained_on=None, text_encoder=None, class_embeddings=classes)
        for name, value in head.items():
            config.mask_head.pop(name) if value is None else config.mask_head.update({name: value})
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("ovdense"):
            model = MODELS.build(config)
            model.mask_head.init_weights()
        return model.eval()

    def test_at_gate_0_it_is_the_base_model(self):
        guided, plain = self.build(), self.build(type="OVSegHead", prompt_heads=None)
        missing, unexpected = plain.load_state_dict(guided.state_dict(), strict=False)
        assert not missing and unexpected and all("prompt" in name for name in unexpected)
        pictures = torch.stack(images((48, 64)))
        (masks, ours), (plain_masks, theirs) = answers(guided, pictures)[0], answers(plain, pictures)[0]
        assert torch.equal(masks.mask_logits, plain_masks.mask_logits) and torch.equal(ours, theirs)

    def test_the_order_of_the_names_does_not_count_and_crops_follow_the_masks(self):
        guided = open_gates(self.build())
        encoded = guided.encode(torch.stack(images((48, 64))))
        masks, first = guided.classify(encoded, 0)
        order = [4, 2, 0, 1, 3]
        guided.set_vocabulary(guided.class_embeddings.subset(order))
        again, second = guided.classify(encoded, 0)
        torch.testing.assert_close(again.mask_logits, masks.mask_logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(second[:, [*map(order.index, range(5)), 5]], first, atol=1e-4, rtol=1e-3)
        guided.set_vocabulary(guided.class_embeddings.subset([0]))
        alone, _ = guided.classify(encoded, 0)
        assert (alone.mask_logits - masks.mask_logits).abs().max() > 1e-3
        assert alone.regions.shape == masks.regions.shape  # the crops were cut from the new masks
