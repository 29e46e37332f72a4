"""The suite itself: it must find cases, inputs and outputs that it has never seen, and notice what is wrong."""

import json
import shutil

import pytest
import torch
from adapters import find_adapter
from comparison import Labels, check
from official_cases import SHIPPED, find_cases
from safetensors.torch import load_file, save_file

FOREIGN = {"img_c": (2, 3, 48, 144), "img_late": (1, 3, 64, 64), "img_slide": (1, 3, 75, 130)}


@pytest.fixture
def foreign_case(tmp_path):
    """A SCLIP case with other inputs, sizes, batch and classes, its outputs in one file with the inputs."""
    folder = tmp_path / "outputs" / "sclip"
    folder.mkdir(parents=True)
    shutil.copy(SHIPPED / "sclip" / "weights.safetensors", folder)
    tensors = {name: torch.randn(shape) for name, shape in FOREIGN.items()}
    tensors["text"] = torch.nn.functional.normalize(torch.randn(9, 32), dim=1)
    tensors["query_idx"] = torch.tensor([0, 1, 1, 1, 2, 3, 4, 5, 5])
    sizes = {
        "csa/dense_c": (2, 28, 32),
        "csa/logits_up_c": (2, 9, 24, 72),
        "vanilla/dense_late": (1, 17, 32),
        "slide/plain_pred": (1, 90, 101),
        "slide/area_probs": (6, 30, 34),
        "slide/area_pred": (1, 90, 101),
    }
    outputs = {name: torch.zeros(shape, dtype=torch.uint8 if "pred" in name else None) for name, shape in sizes.items()}
    meta = dict(
        method="sclip", vit=dict(heads=4), note="slide: crop 48 stride 30; area: prob_thd .2 area_thd .1 scale 60"
    )
    (folder / "meta.json").write_text(json.dumps(meta))
    save_file({**tensors, **outputs}, folder / "tensors.safetensors")
    adapter = find_adapter(find_cases(tmp_path / "outputs")[0])
    for name in outputs:
        value = adapter.derive(name)
        outputs[name] = value.labels.to(torch.uint8) if isinstance(value, Labels) else value.contiguous()
        assert outputs[name].shape == sizes[name]
    save_file({**tensors, **outputs}, folder / "tensors.safetensors")
    return folder


def test_unseen_inputs_are_checked(foreign_case):
    (case,) = find_cases(foreign_case)
    adapter = find_adapter(case)
    assert sorted(case.images) == ["c", "late", "slide"]
    assert len(adapter.outputs()) == 6
    for point in adapter.outputs():
        check(adapter.derive(point), case.tensors[point])
    assert adapter.slide_model("area").test_cfg.crop_size == (48, 48)
    assert adapter.slide_model("area").test_cfg.area_threshold == 0.1


@pytest.mark.parametrize("point", ["csa/dense_c", "slide/plain_pred", "slide/area_probs"])
def test_a_wrong_output_is_an_error(foreign_case, point):
    (case,) = find_cases(foreign_case)
    wrong = case.tensors[point].clone()
    wrong.view(-1)[3] = wrong.view(-1)[3] + 1 if point.endswith("pred") else wrong.view(-1)[3] + 1e-4
    with pytest.raises(AssertionError):
        check(find_adapter(case).derive(point), wrong)


def test_weights_must_fit(foreign_case):
    weights = load_file(foreign_case / "weights.safetensors")
    del weights["visual.ln_post.bias"]
    save_file(weights, foreign_case / "weights.safetensors")
    (case,) = find_cases(foreign_case)
    with pytest.raises(ValueError, match=r"1 missing: ln_post\.bias"):
        find_adapter(case).derive("csa/dense_c")


def test_ties_may_fall_either_way_and_nothing_else():
    scores = torch.tensor([[[[0.5, 0.7]], [[0.5, 0.2]]]])
    labels = Labels(scores.argmax(1), scores)
    assert check(labels, torch.tensor([[[1, 0]]])).startswith("1 of 2 labels differ")
    with pytest.raises(AssertionError, match="1 of 2 labels differ beyond"):
        check(labels, torch.tensor([[[0, 1]]]))


def test_unknown_methods_have_no_adapter(tmp_path):
    (tmp_path / "newclip").mkdir()
    (tmp_path / "newclip" / "meta.json").write_text('{"method": "NewCLIP, after SCLIPPER"}')
    assert find_adapter(find_cases(tmp_path)[0]) is None
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_cases(tmp_path / "nowhere")
