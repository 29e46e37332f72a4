"""``ovdense bench``: the shipped models on the fixed scenes, beside what chance reaches."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ovdense.apis.configs import ConfigError, config_root, find_config
from ovdense.apis.provenance import config_digest, git_state, versions, weight_digests
from ovdense.datasets.scenes.sprites import ATLAS
from ovdense.engine import AnyDeviceRunner
from ovdense.evaluation import chance_ap50, chance_miou, chance_pq
from ovdense.models.text_encoders.progress import progress_bar

PROTOCOL = "ovd-scenes: fixed scenes of 96 x 96 pixels, figures in percent; chance guesses names at random"
# Figure and the group of classes that it is taken over; the first that a task has is its main one.
SEGMENTATION = {"mIoU": None, "mIoU_thing": "thing", "mIoU_stuff": "stuff"}
DETECTION = {
    f"{kind}_AP50{suffix}": group
    for kind in ("bbox", "segm")
    for suffix, group in (("", None), ("_base", "base"), ("_novel", "novel"))
}
PANOPTIC = {f"PQ{suffix}": suffix[1:] or None for suffix in ("", "_thing", "_stuff", "_base", "_novel")}
QUALITIES = tuple(f"{kind}{suffix}" for kind in ("SQ", "RQ") for suffix in ("", "_thing", "_stuff"))
FIGURES = (*SEGMENTATION, *DETECTION, *PANOPTIC, *QUALITIES)


def run_bench(tasks: Sequence[str] | None = None, limit: int | None = None, table: Path = ATLAS / "bench.json") -> dict:
    """Figures of every shipped model, and where they come from.

    Returns:
        ``versions``; ``git`` (``commit``, ``modified``; empty outside of a clone); ``protocol``; ``limit``;
        ``results``, a list of ``run_task``; ``ratios``, a list of ``ratios_of``.

    Args:
        tasks: names of tasks; None for all.
        limit: scenes a task at most.
        table: json of the tasks, of pairs of tasks whose ratio is of interest, and of the models with config, options
            and tasks.

    Raises:
        ConfigError: an unknown task.
    """
    content = json.loads(Path(table).read_text(encoding="utf-8"))
    unknown = sorted(set(tasks or ()) - set(content["tasks"]))
    if unknown:
        raise ConfigError(f"the tasks are {', '.join(content['tasks'])}; got {', '.join(unknown)}")
    runs = [(task, row) for row in content["models"] for task in row["tasks"] if tasks is None or task in tasks]
    results = []
    with progress_bar(len(runs), "bench") as advance:
        for task, row in runs:
            results.append(run_task(task, row, limit))
            advance(1)
    head = dict(versions=versions(), git=git_state(), protocol=PROTOCOL, limit=limit)
    return dict(**head, results=results, ratios=ratios_of(results, content.get("ratios", ())))


def run_task(task: str, row: dict, limit: int | None = None) -> dict:
    """One model on one task: names, digests of config and weights, figures, and ``chance`` by figure, in percent."""
    data = Config.fromfile(config_root() / "_base_" / "datasets" / f"scenes_bench_{task.replace('-', '_')}.py")
    config = Config.fromfile(find_config(row["config"]))
    config.merge_from_dict(row.get("options", {}))
    config.test_dataloader, config.test_evaluator = data.test_dataloader, data.test_evaluator
    config.model.vocabulary = data.vocabulary
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler", "val_dataloader", "val_cfg"):
        config.pop(key, None)
    config.pop("val_evaluator", None)
    config.test_cfg = dict(type="TestLoop")
    if limit is not None:
        config.test_dataloader.dataset.num_scenes = limit
    digests = dict(config_sha256=config_digest(config), weights_sha256=weight_digests(config))
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        if "visualizer" in config:  # kept by name for the whole process, but the folder is not
            config.visualizer.update(name=f"bench-{Path(folder).name}", vis_backends=[])
        runner = AnyDeviceRunner.from_cfg(config)
        metrics = {key.rsplit("/", 1)[-1]: float(value) for key, value in runner.test().items()}
    scale = 100 if "bbox_AP50" in metrics else 1  # COCO's figures are shares
    figures = {key: round(scale * metrics[key], 1) for key in FIGURES if math.isfinite(metrics.get(key, math.nan))}
    dataset = runner.test_dataloader.dataset
    chance = {key: value for key, value in chance_of(dataset).items() if key in figures}
    names = dict(task=task, model=row["model"], config=row["config"], scenes=len(dataset))
    return dict(**names, **digests, chance=chance, **figures)


def chance_of(dataset) -> dict[str, float]:
    """What chance reaches on the scenes of a dataset, in percent, by figure.

    mIoU of random pixels, AP50 of true boxes with random names, PQ of true segments with random names; figures over
    groups of which nothing is to be seen are left out.
    """
    classes, groups = len(dataset.metainfo["classes"]), dataset.metainfo.get("groups", {})
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if "gt_seg_map" in infos[0]:
        figures, chance = SEGMENTATION, chance_miou
        labels = np.concatenate([info["gt_seg_map"].ravel() for info in infos])
        labels = labels[labels != 255]
    elif "panoptic" in infos[0]:
        figures, chance = PANOPTIC, chance_pq
        labels = [segment["label"] for info in infos for segment in info["panoptic"]["segments"]]
    else:
        figures, chance = DETECTION, chance_ap50
        labels = [item["bbox_label"] for info in infos for item in info["instances"] if not item["ignore_flag"]]
    amounts = np.bincount(np.asarray(labels, int), minlength=classes)
    wanted = {key: group for key, group in figures.items() if group is None or group in groups}
    levels = {key: chance(amounts, None if group is None else groups[group]) for key, group in wanted.items()}
    return {key: round(value, 2) for key, value in levels.items() if math.isfinite(value)}


def ratios_of(results: Sequence[dict], pairs: Sequence[dict]) -> list[dict]:
    """What a model reaches on the ``task`` of a pair, in percent of its figures on the task ``to``.

    Returns:
        a ``dict(task=, to=, model=, config=)`` for each pair and model, with a share for each figure.
    """
    ratios = []
    for pair in pairs:
        reached = {(row["model"], row["config"]): row for row in results if row["task"] == pair["task"]}
        for row in results:
            other = reached.get((row["model"], row["config"])) if row["task"] == pair["to"] else None
            if other is not None:
                shares = {
                    key: round(100 * other[key] / row[key], 1) for key in FIGURES if row.get(key) and key in other
                }
                ratios.append(dict(**pair, model=row["model"], config=row["config"], **shares))
    return ratios


def table_of(report: dict) -> str:
    """The report as lines of text."""
    width = max((len(row["model"]) for row in report["results"]), default=0) + 2
    lines = [report["protocol"]]
    for row in report["results"]:
        chance = row["chance"].get(main_figure(row))
        figures = "  ".join(f"{key} {row[key]}" for key in FIGURES if key in row)
        lines.append(f"{row['task']:18}{row['model']:{width}}{figures}  (chance {chance}, {row['scenes']} scenes)")
    for row in report["ratios"]:
        figures = "  ".join(f"{key} {row[key]} %" for key in FIGURES if key in row)
        lines.append(f"{row['task']:18}{row['model']:{width}}{figures}  of the figures of {row['to']}")
    return "\n".join(lines)


def main_figure(row: dict) -> str:
    """The figure that a task is judged by."""
    return next(key for key in FIGURES if key in row)
