"""The importer on state dicts by the official names of ovdet and of F-ViT."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "model_converters" / "import_ovdet.py"
BOX = "roi_head.bbox_head."


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("import_ovdet", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def official():
    names = ["backbone.conv1.weight", "neck.lateral_convs.0.conv.weight", "rpn_head.rpn_cls.0.weight"]
    names += [f"{BOX}{name}" for name in ("fc_cls.weight", "fc_cls.bias", "fc_reg.0.weight", "fc_reg.2.weight")]
    names += [f"{BOX}cls_embeddings", f"{BOX}cls_bias", "roi_head.clip.text_encoder.ln_final.weight"]
    names += ["roi_head.baron_kd.positional_embed.pos_proj.0.weight"]
    state = {name: torch.full((2, 2), float(index)) for index, name in enumerate(names)}
    state[f"{BOX}bg_embedding.weight"] = torch.tensor([[1.0], [2.0]])
    state[f"{BOX}bg_embedding.bias"] = torch.tensor([0.5, 0.5])
    return state


def test_a_detector_of_ovdet_comes_in_with_a_report(tool, tmp_path, capsys):
    torch.save(dict(state_dict=official()), tmp_path / "ovdet.pth")
    tool.main([str(tmp_path / "ovdet.pth"), str(tmp_path / "out.pth")])
    said = capsys.readouterr().out
    assert "9 weights taken" in said
    assert "1 left out, the frozen CLIP comes from its own file: roi_head.clip.text_encoder.ln_final.weight" in said
    assert "classes and their groups follow the vocabulary" in said
    state = torch.load(tmp_path / "out.pth", weights_only=True)["state_dict"]
    assert state[f"{BOX}fc_cls.background_row"].tolist() == [1.5, 2.5]
    assert torch.equal(state[f"{BOX}fc_cls.projection.weight"], official()[f"{BOX}fc_cls.weight"])
    place = "distiller.position.0.weight"
    assert torch.equal(state[place], official()["roi_head.baron_kd.positional_embed.pos_proj.0.weight"])
    assert not any("clip." in name or "cls_bias" in name for name in state)


def test_what_is_not_known_or_missing_ends_the_conversion(tool, tmp_path):
    torch.save({**official(), "head.what": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(SystemExit, match=r"error: this is no checkpoint of ovdet: 1 are not known: head\.what"):
        tool.main([str(tmp_path / "more.pth"), str(tmp_path / "out.pth")])
    less = {name: value for name, value in official().items() if not name.startswith(("backbone.", f"{BOX}fc_cls."))}
    torch.save(less, tmp_path / "less.pth")
    with pytest.raises(SystemExit, match=r"it has no weights of backbone\., roi_head\.bbox_head\.fc_cls\.projection\."):
        tool.main([str(tmp_path / "less.pth"), str(tmp_path / "out.pth")])
    with pytest.raises(SystemExit, match=r"this is no checkpoint of F-ViT"):
        tool.main([str(tmp_path / "less.pth"), str(tmp_path / "out.pth"), "--kind", "fvit"])
    assert not (tmp_path / "out.pth").exists()


def test_weights_have_to_fit_the_config(tool, tmp_path):
    config = Path(__file__).resolve().parents[2] / "configs" / "tiny" / "vild_scenes_1xb8-80_scenes-127-96.py"
    torch.save(official(), tmp_path / "ovdet.pth")
    with pytest.raises(
        SystemExit, match=r"error: the weights do not fit .*: \d+ shapes: .*; \d+ unknown: .*; \d+ missing"
    ):
        tool.main([str(tmp_path / "ovdet.pth"), str(tmp_path / "out.pth"), "--config", str(config)])
