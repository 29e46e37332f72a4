"""export_mask_clip: what was trained of OVSeg's CLIP comes out as a CLIP file that both towers read."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from safetensors.torch import load_file

from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "tiny" / "ovseg-prompts_scenes_1xb64-100_mask-nouns-48.py"


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "model_converters" / "export_mask_clip.py"
    spec = importlib.util.spec_from_file_location("export_mask_clip", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained():
    """A training's model whose prompts, tower and scale were moved."""
    from ovdense.apis import load_config

    with DefaultScope.overwrite_default_scope("ovdense"):
        model = MODELS.build(load_config(CONFIG).model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.logit_scale += 0.25
        for parameter in model.backbone.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def export(tool, model, folder):
    torch.save(dict(state_dict=model.state_dict()), folder / "iter_1.pth")
    tool.main([str(CONFIG), str(folder / "iter_1.pth"), str(folder / "out" / "clip.safetensors")])
    return folder / "out" / "clip.safetensors"


def test_both_towers_read_the_file(tool, trained, tmp_path):
    file = export(tool, trained, tmp_path)
    clip = dict(model="scenes", pretrained=str(file))
    tower = MODELS.build(dict(type="ovdense.CLIPBackbone", attention="vanilla", with_global=True, **clip)).eval()
    text = MODELS.build(dict(type="ovdense.CLIPTextEncoder", **clip))
    stock = MODELS.build(dict(type="ovdense.CLIPTextEncoder", model="scenes"))
    crops, shown = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1)), torch.zeros(2, 1, 48, 48)
    shown[..., 20:] = 1
    with torch.no_grad():
        mine = tower(crops, masks=shown.bool()).global_embedding
        theirs = trained.backbone(crops, masks=shown.bool()).global_embedding
        plain = tower(crops).global_embedding
    torch.testing.assert_close(mine, theirs)
    assert (mine - plain).abs().max() > 1e-3  # the prompts came along
    from ovdense.structures import Vocabulary

    words = Vocabulary(("cat", "car"), (("cat",), ("car",)))
    ours, theirs = (each.encode(words, progress=False).rows for each in (text, stock))
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert load_file(file)["logit_scale"].item() == pytest.approx(trained.logit_scale.item())


def test_a_checkpoint_of_another_model_is_refused(tool, trained, tmp_path):
    state = {f"other.{name}": value for name, value in trained.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / "other.pth")
    with pytest.raises(SystemExit, match="error: the checkpoint is of another CLIP than the config"):
        tool.main([str(CONFIG), str(tmp_path / "other.pth"), str(tmp_path / "clip.safetensors")])
    assert not (tmp_path / "clip.safetensors").exists()


def test_a_missing_file_is_one_line(tool, tmp_path):
    with pytest.raises(SystemExit, match="error: no such checkpoint"):
        tool.main([str(CONFIG), str(tmp_path / "none.pth"), str(tmp_path / "clip.safetensors")])
