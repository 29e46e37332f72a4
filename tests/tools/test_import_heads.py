"""Official files of the small heads, converted strictly."""

import importlib.util
from pathlib import Path

import pytest
import torch

from ovdense.models.decode_heads import CLIPDINOiserHead, FOUNDHead

FILE = Path(__file__).resolve().parents[2] / "tools" / "model_converters" / "import_heads.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("import_heads", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official(tmp_path, drop=(), **more):
    """A file laid out as last.pt."""
    torch.manual_seed(0)
    state = {key: value for key, value in CLIPDINOiserHead(in_channels=8, proj_channels=4).state_dict().items()}
    state = {key: value for key, value in state.items() if key not in drop} | more
    torch.save(dict(epoch=99, model_state_dict=state), tmp_path / "last.pt")
    return tmp_path / "last.pt", state


def test_last_pt_becomes_a_checkpoint_of_the_head(tool, tmp_path):
    path, state = official(tmp_path)
    tool.main(["clip_dinoiser", str(path), str(tmp_path / "out" / "head.pth")])
    converted = torch.load(tmp_path / "out" / "head.pth", weights_only=True)["state_dict"]
    assert sorted(converted) == sorted(f"decode_head.{key}" for key in state)
    for source in (path, tmp_path / "out" / "head.pth"):
        head = CLIPDINOiserHead(in_channels=8, proj_channels=4, pretrained=source)
        assert all(torch.equal(value, state[key]) for key, value in head.state_dict().items())


def test_found_decoder_becomes_a_checkpoint_of_the_head(tool, tmp_path):
    decoder = torch.nn.Conv2d(6, 1, 1).state_dict()
    torch.save(dict(decoder=decoder), tmp_path / "decoder_weights.pt")
    tool.main(["found", str(tmp_path / "decoder_weights.pt"), str(tmp_path / "found.pth")])
    for source in ("decoder_weights.pt", "found.pth"):
        head = FOUNDHead(in_channels=6, pretrained=tmp_path / source)
        assert torch.equal(head.decoder.weight, decoder["weight"]) and torch.equal(head.decoder.bias, decoder["bias"])


@pytest.mark.parametrize(
    ("kind", "drop", "more", "words"),
    [
        ("clip_dinoiser", ("bkg_decoder.bias",), {}, "1 missing: bkg_decoder.bias"),
        ("clip_dinoiser", (), {"clip.proj": torch.zeros(2)}, "1 unexpected: clip.proj"),
        ("clip_dinoiser", (), {"bkg_decoder.weight": torch.zeros(1, 5, 1, 1)}, "of another shape: bkg_decoder.weight"),
        ("clip_dinoiser", ("obj_proj.weight", "obj_proj.bias"), {}, "2 missing"),
        ("found", (), {}, "unexpected: bkg_decoder.bias"),
    ],
)
def test_what_does_not_fit_ends_the_conversion(tool, tmp_path, kind, drop, more, words):
    path, _ = official(tmp_path, drop, **more)
    with pytest.raises(SystemExit, match=f"error: .*{words}"):
        tool.main([kind, str(path), str(tmp_path / "out.pth")])
    assert not (tmp_path / "out.pth").exists()


def test_a_missing_file_names_the_tool(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no head weights .*import_heads\.py"):
        FOUNDHead(pretrained=tmp_path / "nothing.pth")
