"""Every method on every kind of CLIP: it labels pictures, or says why it cannot."""

import re
from functools import partial
from unittest import mock

import open_clip
import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.apis import ConfigError, load_config, use_backbone
from ovdense.apis.configs import backbone_names, named_backbone
from ovdense.cli import main
from ovdense.models.backbones.clip_backbone import backbone_class
from ovdense.registry import MODELS

NATIVE = dict(layers=7, width=48, head_width=16)
TIMM = dict(depth=7, embed_dim=48, num_heads=3)
KINDS = {
    "CLIP": ("vit-b16_openai", NATIVE),
    "CLIP ResNet": ("rn50_openai", dict(layers=[1, 1, 1, 1], width=16, image_size=64)),
    "OpenCLIP": ("vit-l14_openclip", NATIVE),
    "MetaCLIP": ("vit-b16_metaclip", NATIVE),
    "DFN": ("vit-l14_dfn", NATIVE),
    "SigLIP2": ("vit-b16_siglip2", TIMM),
    "EVA": ("vit-b16_eva02", TIMM),
    "ConvNeXt": ("convnext_base:laion400m_s13b_b51k", dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32))),
    "lite": ("lite", None),
}
METHODS = {
    "maskclip": "maskclip_vit-b16_voc21-448",
    "maskclip, smoothed": "maskclip_vit-b16_ks-pd_generic-448",
    "sclip": "sclip_vit-b16_voc21-336",
    "clearclip": "clearclip_vit-b16_cityscapes-448",
    "naclip": "naclip_vit-l14_voc21-336",
    "naclip, pamr": "naclip_vit-b16_pamr_context60-336",
    "gem": "gem_vit-b16_voc20-448",
    "resclip": dict(attention="resclip"),
    "scclip": dict(attention="scclip"),
    "proxyclip": dict(type="ProxyBackbone", proxy=dict(type="DINOBackbone", model="scenes_dino")),
}
NO_ATTENTION = "a convolutional trunk has no attention in its last block"
NO_BLOCK = "a trained readout takes the place of the last block"
STACK = "has one attention layer, its pool, but '{}' needs a stack of them"
REFUSED = {
    **{(method, "ConvNeXt"): NO_ATTENTION for method in METHODS},
    **{(method, "lite"): NO_BLOCK for method in METHODS},
    **{(method, "CLIP ResNet"): STACK.format(method) for method in ("gem", "resclip", "scclip")},
    **{("proxyclip", kind): "steers what the last transformer block averages" for kind in ("ConvNeXt", "lite")},
    ("proxyclip", "CLIP ResNet"): "this tower has no such block",
    ("maskclip, smoothed", "CLIP ResNet"): "projects no keys or queries",
}


def config_of(method):
    if isinstance(METHODS[method], str):
        return load_config(METHODS[method])
    config = load_config("sclip_vit-b16_voc21-336")
    config.model.backbone = dict(dict(type="CLIPBackbone", model="ViT-B-16", pretrained="openai"), **METHODS[method])
    return config


def shrunk(config, small):
    """The config on a small random CLIP of the same make, without a text tower."""
    model = Config(dict(model=config.model.to_dict())).model
    clip = open_clip.get_model_config(model.backbone.model)
    own = "timm_model_name" in clip["vision_cfg"]
    width = 48 if clip["vision_cfg"].get("timm_proj") == "none" else 32  # without a projection the trunk's own
    clip = dict(clip, embed_dim=width, text_cfg={})
    if not own:
        clip["vision_cfg"].update(small)
    model.backbone.update(model=clip, pretrained=None)
    model.update(text_encoder=None, vocabulary=["cat", "dog"], class_embeddings=torch.randn(2, width))
    model.test_cfg = dict(mode="slide", crop_size=64, stride=32)
    if model.get("refine"):
        model.refine = dict(type="PAMR", num_iter=1, dilations=(1,))
    create = partial(timm.create_model, **small) if own else timm.create_model
    with mock.patch.object(open_clip.timm_model.timm, "create_model", create):
        return MODELS.build(model)


@pytest.mark.filterwarnings("ignore:no pretrained weights", "ignore:.*pools patches by attention")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_runs_or_is_refused_with_the_reason(method, kind):
    name, small = KINDS[kind]
    config = config_of(method)
    if (method, kind) in REFUSED:
        with pytest.raises(ConfigError, match=f"cannot run this config's method: .*{REFUSED[method, kind]}"):
            use_backbone(config, name)
        return
    use_backbone(config, name)
    model, pretrained = named_backbone(*name.split(":"))
    assert (config.model.backbone.model, config.model.backbone.pretrained) == (model, pretrained)
    assert config.model.text_encoder.model == model
    with DefaultScope.overwrite_default_scope("ovdense"):
        built = shrunk(config, small).eval()
    pictures = torch.randn(2, 3, 70, 100)
    together = built.predict(pictures)
    assert [tuple(sample.pred_sem_seg.data.shape) for sample in together] == [(1, 70, 100)] * 2
    alone = built.predict(pictures[1:])[0].pred_sem_seg.data
    assert (alone != together[1].pred_sem_seg.data).float().mean() < 1e-3  # ties may fall the other way


def test_names_of_backbones_are_models_with_tags_of_open_clip_or_files_of_a_converter():
    names = backbone_names()
    assert {"vit-b16_openai", "vit-b16_openclip", "vit-b16_metaclip", "vit-b16_dfn", "vit-b16_siglip2"} < set(names)
    for name in names:
        model, tag = named_backbone(name)
        converted = tag.startswith("checkpoints/") and tag.endswith(".safetensors")  # docs/backbones.md
        assert converted or tag in open_clip.list_pretrained_tags_by_model(model), name
        assert backbone_class(model) in ("CLIPViT", "CLIPTimm", "CLIPResNet", "CLIPConvNeXt")
    assert named_backbone("vit-b16_dfn", "mine.pt") == ("ViT-B-16-quickgelu", "mine.pt")
    assert named_backbone("ViT-B-16", "openai") == ("ViT-B-16", "openai")


def test_attention_pools_run_with_a_caveat():
    with pytest.warns(UserWarning, match="each patch goes through the pool by itself"):
        use_backbone(load_config("naclip_vit-b16_voc21-336"), "vit-b16_siglip2")


def test_a_resnet_takes_no_position_table_from_a_vit():
    config = use_backbone(load_config("maskclip_vit-b16_voc21-448"), "RN50:openai")
    assert "position" not in config.model.backbone


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text_encoder": dict(type="CLIPTextEncoder", model="RN50")}, r"two models \(ViT-B-16 and RN50\)"),
        ({"class_embeddings": "rows.pt"}, "class_embeddings are of the text tower of 'ViT-B-16'"),
        ({"decode_head": dict(type="Talk2DINOHead", pretrained="head.pth")}, r"weights \(head.pth\) were trained on"),
    ],
)
def test_what_is_tied_to_one_clip_is_refused(change, words):
    config = load_config("sclip_vit-b16_voc21-336")
    config.model.update(change)
    with pytest.raises(ConfigError, match=words):
        use_backbone(config, "vit-b16_dfn")


def test_an_unknown_model_is_refused_with_similar_names():
    with pytest.raises(ConfigError, match=r"did you mean .*ViT-B-16"):
        use_backbone(load_config("sclip_vit-b16_voc21-336"), "ViT-B-17:openai")


@pytest.mark.parametrize(
    ("method", "model", "words"),
    [
        ("gem", "RN50:openai", "one attention layer, but 'gem' needs a stack"),
        ("naclip", "convnext_base:laion400m_s13b_b51k", "a convolutional trunk has no attention in its last block"),
        ("sclip", "vit-b16_metaclip", "metaclip_fullcc.* of ViT-B-16-quickgelu is not on this machine"),
    ],
)
def test_the_command_line_says_it_in_a_line(method, model, words, tmp_path, capsys):
    """The last one can run: only its weights are missing here, and the name stood for the right ones."""
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    name, _, pretrained = model.partition(":")
    weights = ["--pretrained", pretrained] if pretrained else []
    arguments = ["segment", str(tmp_path / "a.png"), "--classes", "a, b", "--method", method, "--model", name, *weights]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(words, error)
