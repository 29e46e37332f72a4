import numpy as np
import torch

from ovdense.evaluation.grouped_coco import GroupedCocoMetric


def test_ap_of_groups_is_that_of_their_classes():
    """Class a is found, b is missed, c is found among the novel ones: AP50 1, 0 and 1."""
    metric = GroupedCocoMetric(metric="bbox")
    metric.dataset_meta = dict(classes=("a", "b", "c"), groups=dict(base=(0, 1), novel=(2,)))
    boxes = [[0, 0, 10, 10], [20, 20, 40, 40], [50, 50, 80, 90]]
    instances = [dict(bbox=box, bbox_label=label, ignore_flag=0) for label, box in enumerate(boxes)]
    found = dict(
        bboxes=torch.tensor([boxes[0], boxes[2]], dtype=torch.float32),
        scores=torch.tensor([0.9, 0.8]),
        labels=torch.tensor([0, 2]),
    )
    metric.process({}, [dict(img_id=0, ori_shape=(96, 96), pred_instances=found, instances=instances)])
    result = metric.evaluate(1)
    expected = {"scenes/bbox_AP50": 0.667, "scenes/bbox_AP50_base": 0.5, "scenes/bbox_AP50_novel": 1.0}
    assert {key: float(np.round(result[key], 3)) for key in expected} == expected
