import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ovdense.evaluation import GroupedIoUMetric, mean_iou


def test_groups_by_hand():
    metric = GroupedIoUMetric(groups=("thing", "stuff", "novel"))
    groups = dict(thing=[0, 1], stuff=[2], unused=[3])
    metric.dataset_meta = dict(classes=["a", "b", "c", "d"], groups=groups)
    truth = torch.tensor([[0, 0, 1, 1, 2, 2, 2, 255]])
    predicted = torch.tensor([[0, 1, 1, 1, 2, 2, 0, 3]])
    metric.process({}, [dict(pred_sem_seg=dict(data=predicted), gt_sem_seg=dict(data=truth))])
    results = metric.evaluate(1)
    # a: 1 of 3, b: 2 of 3, c: 2 of 3; d occurs in an ignored pixel alone
    assert results["mIoU_thing"] == 50
    assert results["mIoU_stuff"] == pytest.approx(66.67)
    assert results["mIoU"] == pytest.approx(55.56)
    assert "mIoU_novel" not in results
    rows = metric.class_table["IoU"]
    assert [(row["name"], row["group"], row["pixels"]) for row in rows] == [
        *(("a", "thing", 2), ("b", "thing", 2), ("c", "stuff", 3), ("d", "unused", 0)),
    ]
    assert [row["IoU"] for row in rows[:3]] == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    assert [row["Acc"] for row in rows[:3]] == pytest.approx([50, 100, 200 / 3]) and math.isnan(rows[3]["IoU"])


@pytest.fixture(scope="module")
def official():
    """Predictions and truth with classes that only one of them has, and what the official evaluators say."""
    folder = Path(__file__).parents[1] / "data" / "official" / "miou_protocol"
    tensors = load_file(folder / "tensors.safetensors")
    return tensors, json.loads((folder / "meta.json").read_text())


def test_both_definitions_equal_the_official_evaluators(official):
    tensors, meta = official
    confusion = tensors["conf_matrix"][:, :-1].double()  # rows prediction; pixels of ignored truth left out
    hit, truth = confusion.diagonal(), confusion.sum(0)
    union = confusion[:-1].sum(1) + truth - hit
    expected = meta["expected"]
    assert mean_iou(hit, union, truth, present_only=True) == pytest.approx(expected["detectron2_main_mIoU"], abs=1e-12)
    assert mean_iou(hit, union, truth) == pytest.approx(expected["ovseg_evaluator_mIoU"], abs=1e-12)


@pytest.mark.parametrize(("present_only", "score", "line"), [(True, 43.71, "37.47"), (False, 37.47, "43.71")])
def test_the_option_and_the_line_with_the_score(official, present_only, score, line):
    tensors, meta = official
    metric = GroupedIoUMetric(present_only=present_only, groups=("rare",))
    metric.dataset_meta = dict(classes=[str(label) for label in range(8)], groups=dict(rare=[5, 7]))
    for predicted, truth in zip(tensors["pred"].long(), tensors["gt"].long()):
        metric.process({}, [dict(pred_sem_seg=dict(data=predicted), gt_sem_seg=dict(data=truth))])
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr("ovdense.evaluation.grouped_iou.print_log", lambda text, logger: said.append(text))
        results = metric.evaluate(4)
    assert results["mIoU"] == score
    assert results["aAcc"] == pytest.approx(meta["expected"]["detectron2_main_pACC"], abs=0.005)
    assert results["mAcc"] == pytest.approx(meta["expected"]["detectron2_main_mACC"], abs=0.005)
    # class 5 is predicted only, class 7 is never predicted
    assert results["mIoU_rare"] == 0
    assert said == [f"mIoU {score} with present_only={present_only} ({line} with present_only={not present_only})"]


def test_a_group_without_truth_counts_in_one_definition_only():
    hit, union, truth = torch.tensor([2, 0]), torch.tensor([4, 3]), torch.tensor([3, 0])
    assert mean_iou(hit, union, truth) == 25
    assert mean_iou(hit, union, truth, present_only=True) == 50
    assert mean_iou(hit, union, truth, members=[1]) == 0
    assert math.isnan(mean_iou(hit, union, truth, members=[1], present_only=True))
