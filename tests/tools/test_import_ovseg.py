"""A whole official checkpoint of OVSeg with a Swin, in small sizes, through the tool."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from safetensors.torch import load_file

from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
REGION = "region_classifier.backbone."
TEXT = {
    "token_embedding.weight": torch.ones(9, 4),
    "positional_embedding": torch.ones(7, 4),
    "text_projection": torch.ones(4, 384),
    "ln_final.weight": torch.ones(4),
    "transformer.resblocks.0.ln_1.weight": torch.ones(4),
}
SWIN = (
    ("stages.", "layers."),
    ("attn.w_msa.", "attn."),
    ("ffn.layers.0.0.", "mlp.fc1."),
    ("ffn.layers.1.", "mlp.fc2."),
    ("projection.", "proj."),
)


def model_config():
    config = Config.fromfile(ROOT / "configs" / "ovseg" / "ovseg_swin-b_vit-l14_generic-640.py").model
    config.update(text_encoder=None, vocabulary=None, trained_on=None)
    config.backbone.trunk.update(pretrain_img_size=64, embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1))
    config.backbone.trunk.window_size = 4
    config.mask_head.update(in_channels=[8, 16, 32, 64], embed_dim=384)
    config.region_classifier.backbone.update(model="scenes", pretrained=None)
    return config


def linear(name, out, into, *kernel):
    return {f"{name}.weight": (out, into, *kernel), f"{name}.bias": (out,)}


def norm(name):
    return {f"{name}.weight": (256,), f"{name}.bias": (256,)}


def head_shapes():
    """Official names and shapes below ``sem_seg_head.``"""
    shapes = {}
    for level, width in ((1, 8), (2, 16), (3, 32)):
        name = f"pixel_decoder.adapter_{level}"
        shapes |= {f"{name}.weight": (256, width, 1, 1)} | norm(f"{name}.norm")
    for level in (1, 2, 3, 4):
        name = f"pixel_decoder.layer_{level}"
        shapes |= {f"{name}.weight": (256, 64 if level == 4 else 256, 3, 3)} | norm(f"{name}.norm")
    shapes |= linear("pixel_decoder.mask_features", 256, 256, 3, 3)
    shapes |= linear("predictor.input_proj", 256, 64, 1, 1) | {"predictor.query_embed.weight": (100, 256)}
    for layer in range(6):
        name = f"predictor.transformer.decoder.layers.{layer}."
        for part in ("self_attn", "multihead_attn"):
            shapes |= {f"{name}{part}.in_proj_weight": (768, 256), f"{name}{part}.in_proj_bias": (768,)}
            shapes |= linear(f"{name}{part}.out_proj", 256, 256)
        shapes |= linear(f"{name}linear1", 2048, 256) | linear(f"{name}linear2", 256, 2048)
        shapes |= norm(f"{name}norm1") | norm(f"{name}norm2") | norm(f"{name}norm3")
    shapes |= norm("predictor.transformer.decoder.norm")
    for index in range(3):
        shapes |= linear(f"predictor.mask_embed.layers.{index}", 256, 256)
    shapes |= linear("predictor.class_embed.layers.0", 1024, 256) | linear("predictor.class_embed.layers.1", 384, 1024)
    return {f"sem_seg_head.{name}": shape for name, shape in shapes.items()}


def official_name(name):
    """Of a tensor of the trunk or of the region CLIP."""
    if name.startswith(REGION):
        own = name.removeprefix(REGION)
        return "clip_adapter.clip_model." + ("visual.mask_embedding" if own == "mask_embedding" else own)
    own = name.removeprefix("backbone.trunk.")
    for ours, theirs in SWIN:
        own = own.replace(ours, theirs)
    return f"backbone.{own}"


@pytest.fixture(scope="module")
def expected():
    with DefaultScope.overwrite_default_scope("ovdense"):
        return MODELS.build(model_config()).state_dict()


@pytest.fixture(scope="module")
def official(expected):
    """A checkpoint without its text tower."""
    state = {name: torch.randn(shape) for name, shape in head_shapes().items()}
    towers = [name for name in expected if name.startswith(("backbone.trunk.", REGION))]
    state |= {official_name(name): expected[name].clone() for name in towers}
    state |= {"clip_adapter.non_object_embedding": torch.randn(1, 384), "criterion.empty_weight": torch.ones(172)}
    return state | {
        "clip_adapter.pixel_mean": torch.ones(1, 3, 1, 1),
        "clip_adapter.clip_model.logit_scale": torch.ones(()),
    }


@pytest.fixture
def run(tmp_path):
    """Runs the tool on a state dict; gives the folder that it wrote to."""
    spec = importlib.util.spec_from_file_location("import_ovseg", ROOT / "tools/model_converters/import_ovseg.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    Config(dict(model=model_config(), default_scope="ovdense")).dump(tmp_path / "config.py")
    torch.save(TEXT, tmp_path / "clip.pt")

    def convert(state, *options):
        torch.save(dict(model=state, iteration=7), tmp_path / "official.pth")
        files = [tmp_path / name for name in ("config.py", "official.pth", "ours.pth")]
        tool.main([*map(str, files), "--report", str(tmp_path / "report.txt"), *map(str, options)])
        return tmp_path

    return convert


def test_the_tool_writes_checkpoint_clip_and_a_line_for_every_key(run, official, expected, tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*missing of the text tower: token_embedding.*\(--clip\)"):
        run(official)
    assert not (tmp_path / "ours.pth").exists()
    folder = run(official, "--clip", tmp_path / "clip.pt")
    state = torch.load(folder / "ours.pth", weights_only=True)["state_dict"]
    ignored = "relative_position_index"
    assert {name for name in expected if not name.endswith(ignored)} <= set(state)
    queries = official["sem_seg_head.predictor.query_embed.weight"]
    assert torch.equal(state["mask_head.query_embed.weight"], queries)
    lines = (folder / "report.txt").read_text().splitlines()
    assert {line.split(" -> ")[0] for line in lines} == {*official, "(not in the checkpoint)"}
    assert len(lines) == len(official) + len(TEXT)
    clip = load_file(folder / "ours_clip.safetensors")
    assert {*TEXT, "logit_scale", "visual.mask_embedding"} <= set(clip)


def test_what_does_not_fit_is_named(run, official, tmp_path):
    query, clip = "sem_seg_head.predictor.query_embed.weight", ("--clip", tmp_path / "clip.pt")
    with pytest.raises(SystemExit, match=r"no place here: sem_seg_head\.predictor\.other"):
        run({**official, "sem_seg_head.predictor.other": torch.ones(1)}, *clip)
    with pytest.raises(SystemExit, match=r"1 missing: mask_head\.query_embed\.weight"):
        run({name: value for name, value in official.items() if name != query}, *clip)
    with pytest.raises(SystemExit, match=r"1 of another shape: mask_head\.query_embed\.weight \(3, 256\) instead of"):
        run({**official, query: torch.ones(3, 256)}, *clip)
