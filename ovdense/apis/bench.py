"""``ovdense bench``: the shipped models on the fixed scenes, beside what chance reaches."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from ovdense.apis.configs import ConfigError, config_root, find_config
from ovdense.datasets.scenes.sprites import ATLAS
from ovdense.engine import AnyDeviceRunner
from ovdense.evaluation import chance_ap50, chance_miou
from ovdense.version import __version__

PROTOCOL = "ovd-scenes: fixed scenes of 96 x 96 pixels, figures in percent; chance guesses names at random"
FIGURES = ("mIoU", "bbox_AP50", "bbox_AP50_base", "bbox_AP50_novel", "segm_AP50", "segm_AP50_base", "segm_AP50_novel")


def run_bench(tasks: Sequence[str] | None = None, limit: int | None = None, table: Path = ATLAS / "bench.json") -> dict:
    """Figures of every shipped model: ``dict(ovdense=, torch=, protocol=, results=[...])``.

    Args:
        tasks: names of tasks; None for all.
        limit: scenes a task at most.
        table: json of the tasks, and of the models with config, options and tasks.

    Raises:
        ConfigError: an unknown task.
    """
    content = json.loads(Path(table).read_text(encoding="utf-8"))
    unknown = sorted(set(tasks or ()) - set(content["tasks"]))
    if unknown:
        raise ConfigError(f"the tasks are {', '.join(content['tasks'])}; got {', '.join(unknown)}")
    results = [
        run_task(task, row, limit)
        for row in content["models"]
        for task in row["tasks"]
        if tasks is None or task in tasks
    ]
    return dict(ovdense=__version__, torch=torch.__version__, protocol=PROTOCOL, limit=limit, results=results)


def run_task(task: str, row: dict, limit: int | None = None) -> dict:
    """One model on one task: name, config, figures and chance in percent."""
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
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        if "visualizer" in config:  # kept by name for the whole process, but the folder is not
            config.visualizer.update(name=f"bench-{Path(folder).name}", vis_backends=[])
        runner = AnyDeviceRunner.from_cfg(config)
        metrics = {key.rsplit("/", 1)[-1]: float(value) for key, value in runner.test().items()}
    scale = 1 if "mIoU" in metrics else 100  # COCO's figures are shares
    figures = {key: round(scale * metrics[key], 1) for key in FIGURES if key in metrics}
    dataset = runner.test_dataloader.dataset
    return dict(
        task=task, model=row["model"], config=row["config"], scenes=len(dataset), chance=chance_of(dataset), **figures
    )


def chance_of(dataset) -> float:
    """What chance reaches on the scenes of a dataset: mIoU of random pixels, AP50 of true boxes with random names."""
    count = len(dataset.metainfo["classes"])
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if "gt_seg_map" in infos[0]:
        labels = np.concatenate([info["gt_seg_map"].ravel() for info in infos])
        return round(chance_miou(np.bincount(labels[labels != 255], minlength=count)), 1)
    names = [item["bbox_label"] for info in infos for item in info["instances"] if not item["ignore_flag"]]
    return round(chance_ap50(np.bincount(names, minlength=count)), 1)


def table_of(report: dict) -> str:
    """The report as lines of text."""
    lines = [report["protocol"]]
    for row in report["results"]:
        figures = "  ".join(f"{key} {row[key]}" for key in FIGURES if key in row)
        lines.append(f"{row['task']:14}{row['model']:28}{figures}  (chance {row['chance']}, {row['scenes']} scenes)")
    return "\n".join(lines)
