"""The suite itself: it must find cases, inputs and outputs that it has never seen, and notice what is wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from adapters import find_adapter
from comparison import Labels, check
from official_cases import SHIPPED, Case, find_cases
from safetensors.torch import load_file, save_file

FOREIGN = {"img_c": (2, 3, 48, 144), "img_late": (1, 3, 64, 64), "img_slide": (1, 3, 75, 130)}


@pytest.fixture
def foreign_case(tmp_path):
    """A SCLIP case with other inputs, sizes, batch and classes, its outputs in one file with the inputs."""
    folder = tmp_path / "outputs" / "sclip"
    folder.mkdir(parents=True)
    shutil.copy(Case(SHIPPED / "sclip").own_weights, folder)
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
    assert {case.tag_of(point) for point in case.outputs} == {"c", "late", "slide"}
    assert len(case.outputs) == 6
    for point in case.outputs:
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


def split_case(folder: Path, method: str, outputs: list[str], *, half: bool = False) -> Path:
    """Some outputs of a shipped case without its weights, text and meta file; the inputs in a file of their own."""
    folder.mkdir(parents=True)
    tensors = load_file(SHIPPED / method / "io.safetensors")
    images = {key: value for key, value in tensors.items() if key.startswith("img_")}
    np.savez(folder / "inputs.npz", **{key: value.numpy() for key, value in images.items()})
    save_file({key: tensors[key].half() if half else tensors[key] for key in outputs}, folder / "outputs.safetensors")
    return folder


@pytest.mark.parametrize("name", ["sclip", "sclip_hidden", "SCLIP-b", "official sclip"])
def test_what_a_case_lacks_comes_from_the_shipped_one(tmp_path, name):
    split_case(tmp_path / "family" / name, "sclip", ["csa/dense_a", "slide/thr_pred"])
    (case,) = find_cases(tmp_path)
    adapter = find_adapter(case)
    assert case.filled_in() == "meta, weights, query_idx, text of tests/data/official/sclip"
    assert case.outputs == ["csa/dense_a", "slide/thr_pred"]
    for point in case.outputs:
        check(adapter.derive(point), case.tensors[point])


@pytest.mark.parametrize("name", ["weights", "state_dict", "sclip_state", "my_weights", "vit"])
def test_weights_are_found_by_name_or_content(foreign_case, name):
    (foreign_case / "weights.safetensors").rename(foreign_case / f"{name}.safetensors")
    (case,) = find_cases(foreign_case)
    assert case.weights.stem == name
    assert "visual.proj" not in case.tensors


def test_text_without_classes_is_a_class_a_row(foreign_case):
    tensors = load_file(foreign_case / "tensors.safetensors")
    del tensors["query_idx"]
    save_file(tensors, foreign_case / "tensors.safetensors")
    (case,) = find_cases(foreign_case)
    assert find_adapter(case).class_index.tolist() == list(range(9))


def test_half_precision_is_widened_and_its_rounding_allowed(tmp_path):
    split_case(tmp_path / "naclip", "naclip", ["reduced_naclip_5/dense_a"], half=True)
    (case,) = find_cases(tmp_path)
    (point,) = case.outputs
    expected, rounding = case.tensors[point], case.rounding(point)
    assert expected.dtype == torch.float32
    assert rounding == 2**-11
    actual = find_adapter(case).derive(point)
    check(actual, expected, rounding=rounding)
    with pytest.raises(AssertionError):
        check(actual, expected)
    with pytest.raises(AssertionError):
        check(actual * 1.002, expected, rounding=rounding)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("csa/dense_unheard", "NO OUTPUT WAS CHECKED"),
        (None, "NO OUTPUT WAS CHECKED"),
        ("csa/dense_a", "sclip: 1 passed, 0 failed, 0 skipped (with meta, weights, query_idx, text of"),
    ],
)
def test_a_run_that_checks_nothing_fails(tmp_path, capsys, output, said):
    split_case(tmp_path / "sclip", "sclip", [])
    if output:
        expected = load_file(SHIPPED / "sclip" / "io.safetensors")["csa/dense_a"]
        save_file({output: expected}, tmp_path / "sclip" / "outputs.safetensors")
    test = str(Path(__file__).parent / "test_official_outputs.py")
    code = pytest.main([test, "--official-outputs", str(tmp_path), "-q", "-p", "no:cacheprovider"])
    assert said in capsys.readouterr().out
    assert (code == 0) == (output == "csa/dense_a")


def test_unknown_methods_have_no_adapter(tmp_path):
    (tmp_path / "newclip").mkdir()
    (tmp_path / "newclip" / "meta.json").write_text('{"method": "NewCLIP, after SCLIPPER"}')
    assert find_adapter(find_cases(tmp_path)[0]) is None
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_cases(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found none in"):
        find_cases(tmp_path / "empty")
