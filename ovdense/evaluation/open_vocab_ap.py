"""Average precision of open-vocabulary detection: OV-COCO's AP50 of novel, base and all, LVIS's AP, APr, APc, APf."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.evaluation import CocoMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from ovdense.datasets.open_vocab_det import category_ids
from ovdense.evaluation.federated_ap import (
    PictureFound,
    PictureTruth,
    best_of_classes,
    best_of_picture,
    federated_precision,
)
from ovdense.registry import METRICS

BACKENDS = ("pycocotools", "faster-coco-eval")


@METRICS.register_module()
class OpenVocabCocoMetric(CocoMetric):
    """COCO's AP over groups of classes: ``bbox_AP50_novel``, ``bbox_AP50_base``, ``bbox_AP50_all``, ``bbox_AP_...``.

    The AP of a group is the plain mean over its classes that have truth; ``all`` is the mean over the classes of all
    groups, not of the groups' figures. Classes outside the dataset's ``classes`` do not count. Evaluated are the
    pictures that were predicted. With each figure goes a line that says how it was taken, kept as ``description``.

    Args:
        groups: groups of the dataset's ``groups`` meta that get figures of their own; None takes base and novel.
        members: the classes of ``all``: those of the named groups together (OV-COCO-80 has 15 that belong to neither).
            None takes the named groups where there are any, else every class.
        max_dets: detections a picture and class that are looked at.
        classwise: logs a table of the classes, and returns their figures as ``bbox_AP50_class/NAME``.
        backend: ``pycocotools``, or ``faster-coco-eval``: the same figures, sooner (extra ``eval``).
        table_file: json file for the table of classes.
        kwargs: as in ``CocoMetric``; without ``ann_file`` the truth is the dataset's own file.
    """

    default_prefix = "ov_coco"
    definition = "AP50 mean over classes at IoU .50, area all"

    def __init__(
        self,
        *,
        groups: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        max_dets: int = 100,
        classwise: bool = False,
        backend: str = "pycocotools",
        table_file: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if backend not in BACKENDS:
            raise ValueError(f"backend is one of {BACKENDS}, got {backend!r}")
        self.groups, self.members, self.max_dets = groups, members, max_dets
        self.classwise, self.backend, self.table_file = classwise, backend, table_file
        self.facts: dict = {}
        self.class_table: dict[str, list[dict]] = {}

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keeps what was found; the truth comes from the dataset's file, else from the samples' ``instances``."""
        self._coco_api = self._coco_api or self._truth_file()
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        results = _by_picture(results)  # equal scores of two pictures are ranked by id, as COCO's and LVIS's code does
        truths, found = zip(*results)
        coco = self._coco_api = self._coco_api or self._truth_file() or self._from_samples(truths)
        ids = category_ids(coco.dataset["categories"], self.dataset_meta["classes"])
        pictures = [one["img_id"] for one in found]
        figures = {}
        for kind in self.metrics:
            precision = self.precision(kind, coco, ids, found)
            figures.update(self.figures(kind, precision))
            self.note(kind, coco, pictures, precision)
            self.tell(kind, precision, figures)
        return figures

    def precision(self, kind: str, coco, ids: list[int], found: Sequence[dict]) -> np.ndarray:
        """Precision (T, 101, K) at the recalls; -1 where a class has no truth."""
        self.cat_ids = ids
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or str(Path(folder) / "results")
            files = self.results2json(list(found), prefix)
            if kind not in files:
                raise ValueError(f"metric {kind!r} needs predictions with masks, the model gives {sorted(files)}")
            entries = json.loads(Path(files[kind]).read_text(encoding="utf-8"))
        if kind == "segm":
            entries = [{key: value for key, value in one.items() if key != "bbox"} for one in entries]
        pictures = [one["img_id"] for one in found]
        if not entries:
            return _nothing_found(coco, ids, pictures, len(self.iou_thrs))
        truth, judge = (coco, COCOeval) if self.backend == "pycocotools" else _faster(coco)
        evaluation = judge(truth, truth.loadRes(entries), kind)
        evaluation.params.catIds, evaluation.params.imgIds = ids, pictures
        evaluation.params.maxDets, evaluation.params.iouThrs = [1, 10, self.max_dets], np.asarray(self.iou_thrs)
        evaluation.evaluate()
        evaluation.accumulate()
        # pycocotools sorts the ids; ours are in the order of the classes.
        place = {category: index for index, category in enumerate(evaluation.params.catIds)}
        return evaluation.eval["precision"][:, :, [place[one] for one in ids], 0, -1]

    def figures(self, kind: str, precision: np.ndarray) -> dict[str, float]:
        """Figures in [0, 1] by name; NaN for a group without truth."""
        groups = self.group_indices()
        half = int(np.argmin(np.abs(np.asarray(self.iou_thrs) - 0.5)))
        figures = {}
        for name, members in groups.items():
            figures[f"{kind}_AP50_{name}"] = mean_of(precision[half][:, members])
        for name, members in groups.items():
            figures[f"{kind}_AP_{name}"] = mean_of(precision[:, :, members])
        if self.classwise:
            for index, name in enumerate(self.dataset_meta["classes"]):
                figures[f"{kind}_AP50_class/{name}"] = mean_of(precision[half, :, index])
        return figures

    def group_indices(self) -> dict[str, list[int]]:
        """Class indices by group, ``all`` last."""
        known = self.dataset_meta.get("groups") or {}
        names = self.groups if self.groups is not None else [name for name in ("novel", "base") if name in known]
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(f"the dataset has the groups {sorted(known) or 'none'}, the metric asks for {missing}")
        groups = {name: sorted(known[name]) for name in names}
        together = names if self.members is None else self.members
        every = sorted({index for name in together for index in known[name]}) if together else None
        return groups | {"all": every or list(range(len(self.dataset_meta["classes"])))}

    def note(self, kind: str, coco, pictures: Sequence, precision: np.ndarray) -> None:
        """Keeps what the figures were taken with, for ``describe``."""
        there = precision[0, 0] > -1
        classes = {name: [int(there[members].sum()), len(members)] for name, members in self.group_indices().items()}
        self.facts[kind] = dict(
            protocol=self.dataset_meta.get("protocol"),
            classes=classes,
            vocabulary=len(self.dataset_meta["classes"]),
            pictures=len(pictures),
            pictures_in_file=len(coco.dataset["images"]),
            max_dets=self.max_dets,
            definition=self.definition,
            backend=self.backend,
        )

    def describe(self) -> dict:
        """For the protocol: ``type``, ``measures`` and, once something was measured, ``line`` and ``facts``."""
        lines = [self.line(kind) for kind in self.facts]
        return dict(
            type=type(self).__name__,
            measures=list(self.metrics),
            present_only=True,
            line="; ".join(lines),
            facts=self.facts,
        )

    def line(self, kind: str) -> str:
        """How the figures of a kind were taken, in one line."""
        facts = self.facts[kind]
        groups = ", ".join(f"{have}/{of} {name}" for name, (have, of) in facts["classes"].items())
        pictures = f"{facts['pictures']} pictures"
        if facts["pictures"] != facts["pictures_in_file"]:
            pictures = f"{facts['pictures']} of {facts['pictures_in_file']} pictures"
        limit = "no limit of" if facts["max_dets"] is None else f"at most {facts['max_dets']}"
        return (
            f"{facts['protocol'] or 'no named protocol'}: {kind}, {facts['vocabulary']} names, {pictures}, "
            f"classes with truth {groups}, {limit} {self.limited}, {facts['definition']}"
        )

    limited = "detections a picture and class"

    def tell(self, kind: str, precision: np.ndarray, figures: Mapping[str, float]) -> None:
        """Logs the figures with their protocol, and the table of classes."""
        logger = MMLogger.get_current_instance()
        main = [f"{key.removeprefix(f'{kind}_')} {100 * value:.2f}" for key, value in figures.items() if "/" not in key]
        logger.info(f"{kind}: {', '.join(main)}")
        logger.info(f"{kind} protocol: {self.line(kind)}")
        rows = self.class_rows(precision)
        self.class_table[kind] = rows
        if self.classwise:
            table = [["class", "group", "AP50", "AP"]]
            table += [[row["name"], row["group"], _percent(row["AP50"]), _percent(row["AP"])] for row in rows]
            logger.info("\n" + AsciiTable(table).table)
        if self.table_file:
            content = dict(protocol=self.facts[kind], line=self.line(kind), classes=rows)
            Path(self.table_file).parent.mkdir(parents=True, exist_ok=True)
            Path(self.table_file).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def class_rows(self, precision: np.ndarray) -> list[dict]:
        """Name, group, AP50 and AP (None without truth) of every class."""
        half = int(np.argmin(np.abs(np.asarray(self.iou_thrs) - 0.5)))
        of_class = {index: name for name, members in self.group_indices().items() if name != "all" for index in members}
        rows = []
        for index, name in enumerate(self.dataset_meta["classes"]):
            values = [mean_of(precision[half, :, index]), mean_of(precision[:, :, index])]
            values = [None if np.isnan(value) else value for value in values]
            rows.append(dict(name=name, group=of_class.get(index, ""), AP50=values[0], AP=values[1]))
        return rows

    def _truth_file(self):
        """COCO's api of the file that the dataset was read from, if there is one."""
        path = self.dataset_meta.get("ann_file")
        return COCO(path) if path else None

    def _from_samples(self, truths: Sequence[dict]):
        """COCO's api of the truth that came with the samples."""
        with tempfile.TemporaryDirectory() as folder:
            return COCO(self.gt_to_coco_json(gt_dicts=truths, outfile_prefix=str(Path(folder) / "truth")))


@METRICS.register_module()
class OpenVocabLVISMetric(OpenVocabCocoMetric):
    """LVIS's ``bbox_AP``, ``bbox_APr``, ``bbox_APc``, ``bbox_APf``, and fixed AP; the package ``lvis`` is not needed.

    Groups are the file's ``frequency`` of the classes. Rare classes are the novel ones of OV-LVIS.

    Args:
        max_dets: detections a picture over all classes, 300 in LVIS.
        fixed_ap: adds ``bbox_fixed_AP``, ``bbox_fixed_APr``, ...: the best ``topk`` detections of a class over all
            pictures and no limit a picture (arXiv 2102.01066). The model's own limit a picture stays, so raise it.
        kwargs: as in ``OpenVocabCocoMetric``. The json must be LVIS's, with its federated lists.
    """

    default_prefix = "ov_lvis"
    definition = "AP mean over classes with truth at IoU .50 to .95, federated truth"
    limited = "detections a picture"

    def __init__(self, *, max_dets: int = 300, fixed_ap: bool = False, topk: int = 10000, **kwargs) -> None:
        super().__init__(max_dets=max_dets, **kwargs)
        self.fixed_ap, self.topk = fixed_ap, topk

    def compute_metrics(self, results: list) -> dict[str, float]:
        figures = super().compute_metrics(results)
        if self.fixed_ap:
            found = [one for _, one in _by_picture(results)]
            for kind in self.metrics:
                ids = category_ids(self._coco_api.dataset["categories"], self.dataset_meta["classes"])
                truth, shapes = self._truth(kind, self._coco_api, ids, found), [_found(one, kind) for one in found]
                precision = federated_precision(truth, best_of_classes(shapes, self.topk), len(ids))
                fixed = self.figures(f"{kind}_fixed", precision)
                figures.update({key: value for key, value in fixed.items() if "/" not in key})
                MMLogger.get_current_instance().info(
                    f"{kind} fixed AP {100 * fixed[f'{kind}_fixed_AP']:.2f}: {self.line(kind)}, but best {self.topk} "
                    "detections a class and no limit a picture"
                )
        return figures

    def precision(self, kind: str, coco, ids: list[int], found: Sequence[dict]) -> np.ndarray:
        some = [best_of_picture(_found(one, kind), self.max_dets) for one in found]
        return federated_precision(self._truth(kind, coco, ids, found), some, len(ids), np.asarray(self.iou_thrs))

    def figures(self, kind: str, precision: np.ndarray) -> dict[str, float]:
        groups = self.group_indices()
        half, three = (int(np.argmin(np.abs(np.asarray(self.iou_thrs) - value))) for value in (0.5, 0.75))
        figures = {f"{kind}_AP": mean_of(precision)}
        figures[f"{kind}_AP50"], figures[f"{kind}_AP75"] = mean_of(precision[half]), mean_of(precision[three])
        for letter, members in groups.items():
            if letter != "all":
                figures[f"{kind}_AP{letter[0]}"] = mean_of(precision[:, :, members])
        if self.classwise:
            for index, name in enumerate(self.dataset_meta["classes"]):
                figures[f"{kind}_AP_class/{name}"] = mean_of(precision[:, :, index])
        return figures

    def group_indices(self) -> dict[str, list[int]]:
        categories = self._coco_api.dataset["categories"]
        frequency = {one["id"]: one.get("frequency") for one in categories}
        letters = [frequency[one] for one in category_ids(categories, self.dataset_meta["classes"])]
        if None in letters:
            raise ValueError("OpenVocabLVISMetric needs LVIS annotations, whose categories say 'frequency', got none")
        names = dict(rare="r", common="c", frequent="f")
        groups = {name: [i for i, one in enumerate(letters) if one == letter] for name, letter in names.items()}
        return groups | {"all": list(range(len(letters)))}

    def _truth(self, kind: str, coco, ids: list[int], found: Sequence[dict]) -> list[PictureTruth]:
        label = {category: index for index, category in enumerate(ids)}
        return [_picture_truth(kind, coco, one["img_id"], label) for one in found]


def mean_of(precision: np.ndarray) -> float:
    """Mean of what is known; NaN where nothing is."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float("nan")


def _picture_truth(kind: str, coco, number, label: Mapping[int, int]) -> PictureTruth:
    image = coco.imgs[number]
    if "neg_category_ids" not in image:
        raise ValueError(f"picture {number} has no neg_category_ids: OpenVocabLVISMetric needs the json of LVIS itself")
    objects: dict[int, list] = {}
    for one in coco.imgToAnns[number]:
        if one["category_id"] in label:
            shape = coco.annToRLE(one) if kind == "segm" else one["bbox"]
            objects.setdefault(label[one["category_id"]], []).append(shape)
    lists = [
        frozenset(label[i] for i in image.get(key, ()) if i in label)
        for key in ("neg_category_ids", "not_exhaustive_category_ids")
    ]
    return PictureTruth(objects, *lists)


def _by_picture(results: Sequence[tuple]) -> list[tuple]:
    """Results in the order of the pictures' ids, each picture once (samplers of several processes repeat some)."""
    return sorted({one["img_id"]: (truth, one) for truth, one in results}.values(), key=lambda pair: pair[1]["img_id"])


def _found(one: Mapping, kind: str) -> PictureFound:
    """Detections of a picture as LVIS's judge wants them."""
    labels, scores = np.asarray(one["labels"]).astype(int), np.asarray(one["scores"], np.float64)
    if kind == "segm":
        if "masks" not in one:
            raise ValueError("metric 'segm' needs predictions with masks, the model gives boxes only")
        return PictureFound(labels, np.asarray(one.get("mask_scores", scores), np.float64), list(one["masks"]))
    boxes = np.asarray(one["bboxes"], np.float64).reshape(-1, 4)
    return PictureFound(labels, scores, np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1))


def _nothing_found(coco, ids: list[int], pictures: Sequence, count: int) -> np.ndarray:
    chosen = set(pictures)
    present = {
        one["category_id"]
        for one in coco.dataset["annotations"]
        if one["image_id"] in chosen and not one.get("iscrowd")
    }
    row = np.array([0.0 if category in present else -1.0 for category in ids])
    return np.broadcast_to(row, (count, 101, len(ids)))


def _faster(coco):
    """The truth and the evaluator of faster-coco-eval."""
    try:
        import faster_coco_eval
    except ImportError as error:
        raise ImportError("backend 'faster-coco-eval' needs pip install faster-coco-eval (extra: eval)") from error
    return faster_coco_eval.COCO(coco.dataset), faster_coco_eval.COCOeval_faster


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
