"""The protocol behind a score: what is said, in words and in json, and that it is what ran."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.apis import find_config
from ovdense.evaluation import describe_protocol
from ovdense.registry import MODELS

PIPELINE = [dict(type="LoadImageFromFile"), dict(type="ovdense.Resize", scale=(2048, 336), keep_ratio=True)]


class IoU:
    metrics = ["mIoU"]


class VOC:
    def __len__(self):
        return 1449


def described(name, options=None, **kwargs):
    config = Config.fromfile(find_config(name))
    config.merge_from_dict(options or {})
    model = dict(config.model)
    model["backbone"] = dict(type="CLIPBackbone", model="scenes", attention=config.model.backbone.attention)
    model["text_encoder"] = dict(type="CLIPTextEncoder", model="scenes")
    with DefaultScope.overwrite_default_scope("ovdense"):
        built = MODELS.build(Config(dict(model=model)).model)
    return describe_protocol(
        built, pipeline=config.test_dataloader.dataset.pipeline, dataset=VOC(), metrics=[IoU()], config=config, **kwargs
    )


def test_sclip_on_voc_in_one_line_and_in_json():
    protocol = described("sclip_vit-b16_voc21-336")
    line = protocol.line
    assert "\n" not in line
    for words in (
        "sclip (SCLIP family) on VOC, 1449 pictures",
        "attention qq+kk, short side 336, window 224/112, scale 65, prob threshold 0.1, area threshold 0.1",
        "templates imagenet-80, names voc-sclip-21 (56 phrases of 21 classes), background by 26 names",
    ):
        assert words in line
    assert line.endswith("mIoU present_only=False")
    content = json.loads(json.dumps(protocol))
    assert content["window"] == dict(crop=[224, 224], stride=[112, 112]) and content["changed"] == []
    assert content["short_side"] == 336 and content["background"]["names"][0] == "sky"
    assert str(protocol) == "sclip"


def test_what_differs_from_the_named_protocol_is_said():
    options = {
        "model.test_cfg.logit_scale": 40,
        "model.vocabulary.templates": "single",
        "test_dataloader.dataset.pipeline.1.scale": (2048, 224),
    }
    protocol = described("sclip_vit-b16_voc21-336", options)
    assert protocol["changed"] == ["logit_scale", "templates", "short_side"]
    assert "scale 40," in protocol.line and "short side 224" in protocol.line
    assert protocol.line.endswith("CHANGED from the protocol: logit_scale templates short_side")


def test_whole_pictures_refinement_and_the_word_background():
    line = described("naclip_vit-b16_pamr_voc21-336").line
    assert "whole picture, scale 40, prob threshold 0.1, refined by PAMR(num_iter=10 dilations=[8, 16])" in line
    line = described("clearclip_vit-b16_context60-448").line
    assert "window 448/224, scale 50, prob threshold 0.15" in line and "background by the name 'background'" in line
    line = described("maskclip_vit-b16_cityscapes-448").line
    assert "no prob threshold" in line and "no background policy" in line


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (dict(type="Resize", scale=(640, 480), keep_ratio=False), "size 480 x 640"),
        (dict(type="PackSegInputs"), "size as it is"),
        (dict(type="mmseg.Resize", scale=(2048, 448), keep_ratio=True), "short side 448"),
    ],
)
def test_models_without_words_are_described_by_the_rest(step, words):
    model = SimpleNamespace(backbone=torch.nn.Identity())
    line = describe_protocol(model, pipeline=[step], metrics=[SimpleNamespace(present_only=True)]).line
    assert line == f"none named, {words}, SimpleNamespace present_only=True"
