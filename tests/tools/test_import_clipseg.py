"""Checkpoints of CLIPSeg in both layouts become the same decoder, and what does not fit is told."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ovdense.models.clipseg_checkpoint import convert_clipseg
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
KEYS = ROOT.parent / "shared" / "fixtures" / "other" / "clipseg" / "keys_rd64.json"
HEAD = dict(type="CLIPSegHead", text_dim=12, map_channels=20, width=8, heads=2, feedforward=16)


def holder(**options):
    model = torch.nn.Module()
    model.decode_head = MODELS.build({**HEAD, **options})
    return model


def official(model):
    """The decoder's weights by their official names."""
    state = {name.removeprefix("decode_head."): value for name, value in model.state_dict().items()}
    return {name.replace("upsample.", "trans_conv."): value for name, value in state.items()}


def transformers(model):
    """The decoder's weights as transformers names them, projections apart."""
    out = {}
    for name, value in official(model).items():
        name = name.replace("trans_conv.", "transposed_convolution.").replace("blocks.", "layers.")
        name = name.replace(".norm", ".layer_norm").replace(".linear", ".mlp.fc")
        if "in_proj_" in name:
            for part, rows in zip("qkv", value.chunk(3)):
                out["decoder." + name.replace("in_proj_", f"{part}_proj.")] = rows.clone()
        else:
            out[f"decoder.{name}"] = value
    return out


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("layout", [official, transformers])
def test_both_layouts_are_read(layout, refined):
    model, other = holder(refined=refined), holder(refined=refined)
    unused = {"reduce.weight": torch.ones(1)} if layout is official else {}
    converted = convert_clipseg({**layout(model), **unused}, other)
    assert not converted.clip
    other.load_state_dict(converted.state)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in other.state_dict().items())


def test_the_frozen_clip_of_transformers_becomes_openais():
    model = holder()
    layer = "clip.text_model.encoder.layers.0."
    extra = {f"{layer}self_attn.{part}_proj.weight": torch.full((2, 2), float(i)) for i, part in enumerate("qkv")}
    extra |= {f"{layer}mlp.fc1.bias": torch.ones(3), "clip.visual_projection.weight": torch.ones(2, 5)}
    clip = convert_clipseg({**transformers(model), **extra}, model).clip
    assert clip["transformer.resblocks.0.attn.in_proj_weight"].shape == (6, 2)
    assert clip["visual.proj"].shape == (5, 2) and "transformer.resblocks.0.mlp.c_fc.bias" in clip


def test_what_does_not_fit_is_told():
    model, tensors = holder(), official(holder())
    del tensors["film_mul.bias"]
    with pytest.raises(ValueError, match=r"1 missing: decode_head\.film_mul\.bias"):
        convert_clipseg(tensors, model)
    with pytest.raises(ValueError, match="have no place here: strange"):
        convert_clipseg({**official(model), "strange": torch.ones(1)}, model)


@pytest.mark.skipif(not KEYS.is_file(), reason="the list of official keys is not here")
def test_official_keys_of_all_sizes_fit():
    import json

    for name, keys in json.loads(KEYS.read_text()).items():
        tensors = {key: torch.zeros(shape) for key, shape in keys.items()}
        width = 16 if "rd16" in name else 64
        model = torch.nn.Module()
        model.decode_head = MODELS.build(dict(type="CLIPSegHead", width=width, refined="refined" in name))
        assert len(convert_clipseg(tensors, model).state) == len(model.state_dict())


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_the_tool_writes_decoder_report_and_clip(tmp_path):
    config = tmp_path / "config.py"
    backbone = dict(type="CLIPBackbone", model="scenes", out_indices=(1, 2, 3), capture=("stages",))
    config.write_text(f"model = dict(type='CLIPSegmentor', backbone={backbone}, decode_head={HEAD})\n")
    model = holder()
    clip = {"clip_model.visual.proj": torch.ones(2, 2)}
    save_file({**official(model), **clip}, tmp_path / "source.safetensors")
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / "model_converters" / "import_clipseg.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    target = tmp_path / "ours.pth"
    source, towers = tmp_path / "source.safetensors", tmp_path / "clip.safetensors"
    tool.main([str(config), str(source), str(target), "--clip", str(towers)])
    state = torch.load(target, weights_only=True)["state_dict"]
    assert sorted(state) == sorted(model.state_dict())
    assert list(load_file(tmp_path / "clip.safetensors")) == ["visual.proj"]
    assert "clip_model.visual.proj -> clip:visual.proj" in (tmp_path / "ours.pth.report.txt").read_text()
