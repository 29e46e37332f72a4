"""Official mask classifiers, converted strictly, with what was frozen filled in and every key in the report."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))
from adapters.fcclip import FCCLIPAdapter  # noqa: E402
from official_cases import SHIPPED, Case  # noqa: E402

from ovdense.models.mask_checkpoints import FCCLIP_RULES, Rule, convert_checkpoint, rename  # noqa: E402
from ovdense.registry import MODELS  # noqa: E402

TEXT = {
    "token_embedding.weight": torch.randn(9, 4),
    "positional_embedding": torch.randn(7, 4),
    "text_projection": torch.randn(4, 20),
    "ln_final.weight": torch.ones(4),
    "ln_final.bias": torch.zeros(4),
    "transformer.resblocks.0.ln_1.weight": torch.ones(4),
}
PREFIX = "backbone.clip_model."


@pytest.fixture(scope="module")
def case():
    return FCCLIPAdapter(Case(SHIPPED / "fcclip_full"))


@pytest.fixture(scope="module")
def official(case):
    """A checkpoint without a text tower, as those that were released, with what the training adds."""
    return {**load_file(case.case.weights), "criterion.empty_weight": torch.ones(5)}


@pytest.fixture(scope="module")
def model(case):
    init_default_scope("ovdense")
    return MODELS.build(case.config())


def test_every_tensor_goes_somewhere_and_the_report_lists_all(official, model):
    found = convert_checkpoint(official, model, clip={f"text.{name}": value for name, value in TEXT.items()})
    model.load_state_dict(found.state)
    assert {line.official for line in found.report if line.official} == set(official)
    filled = [line.ours for line in found.report if not line.official]
    assert sorted(filled) == sorted(f"clip:{name}" for name in TEXT)
    assert {line.official: line.ours for line in found.report}["criterion.empty_weight"] == ""
    assert set(TEXT) < set(found.clip) and "visual.trunk.stem.0.weight" in found.clip
    scale = official[PREFIX + "logit_scale"]
    assert torch.allclose(found.state["region_classifier.logit_scale"], scale.exp().clamp(max=100))
    assert str(found.report[0]).count(" -> ") == 1


def test_a_checkpoint_with_its_own_text_tower_keeps_it(official, model):
    own = {**official, **{PREFIX + name: value + 1 for name, value in TEXT.items()}}
    found = convert_checkpoint(own, model, clip=TEXT)
    assert all(torch.equal(found.clip[name], TEXT[name] + 1) for name in TEXT)
    assert all(line.official for line in found.report)


def test_a_frozen_image_tower_may_be_filled_in_and_a_trained_one_not(official, model):
    visual = {name.removeprefix(PREFIX): value for name, value in official.items() if ".visual." in name}
    stock = {**TEXT, **visual, "logit_scale": torch.tensor(2.0)}
    short = {name: value for name, value in official.items() if not name.startswith(PREFIX)}
    found = convert_checkpoint(short, model, clip=stock)
    assert torch.equal(found.state["backbone.visual.trunk.stem.0.weight"], visual["visual.trunk.stem.0.weight"])
    assert found.state["region_classifier.logit_scale"] == pytest.approx(torch.tensor(2.0).exp().item())
    with pytest.raises(ValueError, match=r"missing: backbone\.visual\..*--clip"):
        convert_checkpoint(short, model, clip=stock, fill_visual=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("void_embedding.weight"), r"1 missing: mask_head\.void_embedding\.weight"),
        (lambda state: state.update({"sem_seg_head.extra": torch.ones(1)}), r"no place here: sem_seg_head\.extra"),
        (
            lambda state: state.update({"sem_seg_head.predictor.query_feat.weight": torch.ones(3, 3)}),
            r"of another shape: mask_head\.query_feat\.weight \(3, 3\) instead of",
        ),
        (
            lambda state: state.update({"sem_seg_head.predictor.mask_embed.layers.0.scale": torch.ones(3)}),
            r"1 unexpected: mask_head\.mask_embed\.0\.scale",
        ),
    ],
)
def test_what_does_not_fit_is_named(official, model, change, words):
    state = dict(official)
    change(state)
    with pytest.raises(ValueError, match=words):
        convert_checkpoint(state, model, clip=TEXT)


def test_a_text_tower_that_nobody_has_names_the_remedy(official, model):
    with pytest.raises(ValueError, match=r"4 missing of the text tower: token_embedding.*name it \(--clip\)"):
        convert_checkpoint(official, model)


def test_two_tensors_never_become_one():
    rules = (Rule(r"a\d", "a"), *FCCLIP_RULES)
    with pytest.raises(ValueError, match="would become a, the second is a2"):
        rename({"a1": torch.ones(1), "a2": torch.ones(1)}, rules)


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_the_tool_writes_checkpoint_clip_and_report(case, official, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(
        "import_mask_models", ROOT / "tools" / "model_converters" / "import_mask_models.py"
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    config = case.config()
    for name in ("class_embeddings",):
        config.pop(name)
    config["backbone"]["pretrained"] = None
    Config(dict(model=config, default_scope="ovdense")).dump(tmp_path / "config.py")
    torch.save(dict(model=official, iteration=7), tmp_path / "official.pth")
    torch.save(TEXT, tmp_path / "clip.pt")
    arguments = [tmp_path / "official.pth", tmp_path / "ours.pth", "--config", tmp_path / "config.py"]
    with pytest.raises(SystemExit, match=r"error: .*--clip"):
        tool.main(["fc-clip", *map(str, arguments)])
    assert not (tmp_path / "ours.pth").exists()
    arguments += ["--clip", tmp_path / "clip.pt", "--clip-out", tmp_path / "whole.safetensors"]
    tool.main(["fc-clip", *map(str, arguments)])
    state = torch.load(tmp_path / "ours.pth", weights_only=True)["state_dict"]
    assert torch.equal(state["mask_head.query_feat.weight"], official["sem_seg_head.predictor.query_feat.weight"])
    assert set(TEXT) < set(load_file(tmp_path / "whole.safetensors"))
    lines = (tmp_path / "ours.report.txt").read_text().splitlines()
    assert len(lines) == len(official) + len(TEXT) and f"{len(TEXT)} filled in, 1 left out" in capsys.readouterr().out
