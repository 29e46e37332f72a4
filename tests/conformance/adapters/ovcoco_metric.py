"""The metric of OV-COCO: AP50 and AP of novel, base, all and single classes, from stored truth and detections."""

import json
from functools import cache

import numpy as np
import torch

from adapters.base import Adapter
from ovdense.datasets.open_vocab_det import vocabulary_meta
from ovdense.evaluation import OpenVocabCocoMetric
from ovdense.structures import Vocabulary

RUNS = {  # the truth file, and the group that it is cut to
    "generalized_65": ("gt_65.json", None),
    "eval_80": ("gt_80.json", None),
    "base_only_gt": ("gt_65.json", "base"),
    "novel_only_gt": ("gt_65.json", "novel"),
}


class OVCocoMetricAdapter(Adapter):
    methods = ("ovcoco_metric",)

    def needs_image(self, point):
        return False

    def derive(self, point):
        run, _, rest = point.partition("/")
        if run in RUNS:
            group, measure = rest.split("_")
            key = f"bbox_{measure.upper()}_{group}"
        elif run in ("per_class", "hand_derived_AP50"):
            name, _, measure = rest.partition("/")
            run, key = "generalized_65", f"bbox_{measure or 'AP50'}_class/{name}"
        elif run == "hand_summary":
            run, key = "generalized_65", f"bbox_AP50_{rest.split('_')[0]}"
        else:
            return None
        return torch.tensor(figures(self.case, run)[key], dtype=torch.float64)


@cache
def figures(case, run: str) -> dict:
    """What our metric says of the stored detections, with the AP of every class besides."""
    truth, group = RUNS[run]
    document = json.loads((case.folder / truth).read_text(encoding="utf-8"))
    names = [one["name"] for one in sorted(document["categories"], key=lambda one: one["id"])]
    groups = {key: [names.index(name) for name in case.meta[key]] for key in ("base", "novel")}
    vocabulary = Vocabulary.parse(names, groups=groups)
    if group:
        kept = {one["id"] for one in document["categories"] if one["name"] in case.meta[group]}
        document["annotations"] = [one for one in document["annotations"] if one["category_id"] in kept]
    metric = ClasswiseAP(classwise=True)
    metric.dataset_meta = vocabulary_meta(vocabulary)
    metric.use(document)
    ids = {one["id"]: names.index(one["name"]) for one in document["categories"]}
    found = json.loads((case.folder / "dets.json").read_text(encoding="utf-8"))
    found = [one for one in found if one["category_id"] in ids]
    return metric.compute_metrics([({}, picture(one["id"], found, ids)) for one in document["images"]])


class ClasswiseAP(OpenVocabCocoMetric):
    """With the AP of single classes beside their AP50."""

    def use(self, document: dict) -> None:
        from mmdet.datasets.api_wrappers import COCO

        self._coco_api = COCO()
        self._coco_api.dataset = document
        self._coco_api.createIndex()
        self._coco_api.img_ann_map, self._coco_api.cat_img_map = (
            self._coco_api.imgToAnns,
            self._coco_api.catToImgs,
        )

    def figures(self, kind, precision):
        rows = {f"{kind}_AP_class/{row['name']}": row["AP"] for row in self.class_rows(precision)}
        return super().figures(kind, precision) | {key: value for key, value in rows.items() if value is not None}


def picture(number, found: list[dict], ids: dict[int, int]) -> dict:
    """mmdet's result of a picture."""
    mine = [one for one in found if one["image_id"] == number]
    boxes = np.array([one["bbox"] for one in mine], np.float64).reshape(-1, 4)
    return dict(
        img_id=number,
        bboxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        scores=np.array([one["score"] for one in mine]),
        labels=np.array([ids[one["category_id"]] for one in mine], int),
    )
