"""The importer on an official checkpoint of a small detector."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = ROOT / "tests" / "data" / "official" / "regionclip_c4"
SCRIPT = ROOT / "tools" / "model_converters" / "import_regionclip.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("import_regionclip", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_writes_weights_and_rows_and_says_what_is_missing(tool, tmp_path, capsys):
    source = next(OFFICIAL.glob("*state*.safetensors"))
    tool.main([str(source), str(tmp_path / "out.pth"), "--names", "a, b, c, d, e, f, g, h, i"])
    said = capsys.readouterr().out
    assert "test class embeddings: 9 classes x 16 channels" in said and "proposal network: NOT in the file" in said
    state = torch.load(tmp_path / "out.pth", weights_only=True)["state_dict"]
    assert "roi_head.bbox_head.fc_reg.weight" in state and "roi_head.bbox_roi_extractor.attnpool.c_proj.weight" in state
    assert torch.load(tmp_path / "out_train.pt", weights_only=True).shape == (5, 16)
    assert (tmp_path / "out_test.safetensors").is_file()


def test_other_files_end_the_conversion(tool, tmp_path):
    save_file({"encoder.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match="error: 1 names are not those of a RegionCLIP detector"):
        tool.main([str(tmp_path / "other.safetensors"), str(tmp_path / "out.pth")])
    pretrained = {"backbone.visual.conv1.weight": torch.ones(1), "roi_extractor.layer4.0.conv1.weight": torch.ones(1)}
    torch.save(dict(state_dict=pretrained), tmp_path / "pretrained.pth")
    found = tool.convert(tmp_path / "pretrained.pth", tmp_path / "out.pth")
    assert set(found.state) == {
        "backbone.visual.conv1.weight",
        "roi_head.bbox_roi_extractor.layer4.0.conv1.weight",
    }
