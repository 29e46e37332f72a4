import pytest
import torch

from ovdense.evaluation import GroupedIoUMetric


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
